FROM python:3.11.14-slim-bookworm AS environment
WORKDIR /app
COPY requirements.lock .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY gitops gitops
COPY adapters adapters
COPY jobs jobs
COPY api api
COPY cli cli
COPY charts charts
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable . \
 && .venv/bin/python -m compileall -q gitops adapters jobs api cli

FROM python:3.11.14-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home lucity \
 && install -d -o lucity -g lucity -m 0700 /data
COPY --from=environment /app /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LUCITY_DATA=/data
USER lucity
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["lucity"]
CMD ["up", "--host", "0.0.0.0", "--no-browser"]
