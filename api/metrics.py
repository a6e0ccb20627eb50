"""GET /metrics, in Prometheus' text format. Figures of workers come through Redis (adapters/measures.py)."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from adapters import measures
from adapters.ports import Unreachable
from adapters.records import Event, JobRecord
from api.events import Hub
from api.threads import call

ROUTES = (
    *("/graphql", "/git", "/webhooks", "/login", "/logout", "/assets"),
    *("/healthz", "/readyz", "/metrics", "/allowed_signers"),
)
HELP = {"push_seconds": "Duration of pushes to the Git host", "batch_size": "Changes carried by one push"}

Unfinished = Callable[[], Iterable[JobRecord]]
Observed = Callable[[], Mapping[str, measures.Histogram]]


class Figures:
    """The figures of one process, in a registry of its own."""

    def __init__(self, hub: Hub, unfinished: Unfinished, observed: Observed) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "lucity_requests",
            "HTTP requests and WebSockets served",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lucity_request_seconds", "Duration of HTTP requests", ["route"], registry=self._registry
        )
        self._jobs = Counter(
            "lucity_job_transitions",
            "Transitions of jobs since this process started",
            ["kind", "state"],
            registry=self._registry,
        )
        self._registry.register(_Collected(hub, unfinished, observed))

    def served(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; a WebSocket has no duration of interest."""
        route = next((route for route in ROUTES if path == route or path.startswith(f"{route}/")), "/")
        self._requests.labels(method if method.isalpha() and len(method) < 10 else "?", route, status).inc()  # noqa: PLR2004
        if method != "WEBSOCKET":
            self._seconds.labels(route).observe(seconds)

    def moved(self, event: Event) -> None:
        """Count a job's transition."""
        if event.job is not None:
            self._jobs.labels(event.job.kind.value, event.job.state.value).inc()

    async def answer(self, _request: Request) -> Response:
        """Answer the figures of now."""
        return Response(await call(generate_latest, self._registry), media_type=CONTENT_TYPE_LATEST)


class _Collected(Collector):
    """What is looked up when somebody asks."""

    def __init__(self, hub: Hub, unfinished: Unfinished, observed: Observed) -> None:
        self._hub = hub
        self._unfinished = unfinished
        self._observed = observed

    def collect(self) -> Iterable[Metric]:
        """See Collector.collect."""
        yield GaugeMetricFamily("lucity_subscribers", "Open event streams", value=self._hub.listeners)
        yield GaugeMetricFamily(
            "lucity_stream_lag_seconds", "Age of the newest event on arrival", value=self._hub.lag_seconds
        )
        yield from self._queue()
        for name, histogram in self._observed().items():
            buckets = [*((str(bound), count) for bound, count in histogram.buckets), ("+Inf", histogram.count)]
            yield HistogramMetricFamily(f"lucity_{name}", HELP[name], buckets=buckets, sum_value=histogram.total)

    def _queue(self) -> Iterable[Metric]:
        """Answer the unfinished jobs; nothing when Redis is away, for nobody knows then."""
        try:
            jobs: Sequence[JobRecord] = tuple(self._unfinished())
        except Unreachable:
            return
        waiting = GaugeMetricFamily("lucity_jobs", "Unfinished jobs", labels=["kind", "state"])
        for (kind, state), count in Tally((job.kind.value, job.state.value) for job in jobs).items():
            waiting.add_metric([kind, state], count)
        yield waiting
        now = datetime.now(UTC)
        oldest = max(
            ((now - job.created_at).total_seconds() for job in jobs if job.state.value == "QUEUED"), default=0.0
        )
        yield GaugeMetricFamily("lucity_queue_age_seconds", "Age of the oldest queued job", value=oldest)
