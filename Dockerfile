FROM python:3.11.14-slim-bookworm AS environment
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock .
# The image's own pip fills it, so that none stays inside. Helm's wheel holds its library, 85 MB, three times.
RUN python -m venv --without-pip .venv \
 && pip --python .venv/bin/python install --require-hashes -r requirements.lock \
 && cd .venv/lib/python3.11/site-packages/helm_python/lib \
 && library=$(ls libhelm_c.so.*.*.*) \
 && for copy in libhelm_c.so libhelm_c.so.0; do cmp "$copy" "$library" && ln -sf "$library" "$copy" || exit 1; done
COPY pyproject.toml README.md LICENSE ./
COPY gitops gitops
COPY adapters adapters
COPY jobs jobs
COPY api api
COPY cli cli
COPY charts charts
RUN pip --python .venv/bin/python install --no-deps --no-build-isolation --editable . \
 && pip --python .venv/bin/python uninstall --yes setuptools \
 && .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash gitops adapters jobs api cli

FROM python:3.11.14-slim-bookworm AS lucity
# git carries changes, ssh administers Soft-serve; Helm is in the Python environment.
RUN apt-get update \
 && apt-get install -y --no-install-recommends git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home lucity \
 && install -d -o lucity -g lucity -m 0700 /data
COPY --from=environment /app /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LUCITY_DATA=/data
# The number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["lucity"]
CMD ["up", "--host", "0.0.0.0", "--no-browser"]

# docker build --target builder: it confines builds by namespaces, which takes root (charts/lucity, docker-compose.yml).
FROM lucity AS builder
USER 0:0
RUN apt-get update \
 && apt-get install -y --no-install-recommends buildah \
 && rm -rf /var/lib/apt/lists/*
CMD ["builder"]

# The last one is what `docker build .` makes.
FROM lucity
