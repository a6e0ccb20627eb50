"""Figures of processes that nobody can scrape: workers add to them in Redis, the API shows them on /metrics.

Best effort: without Redis a figure is lost, never a change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import redis

KEY = "lucity:metrics"
BUCKETS: Mapping[str, tuple[float, ...]] = {
    "push_seconds": (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
    "batch_size": (1, 2, 5, 10, 25, 50, 100, 250),
}
"""The figures there are, with the upper bounds of their histogram's buckets."""


@dataclass(frozen=True)
class Histogram:
    """What was observed of one figure: (upper bound, how many at or below it), their number and their sum."""

    buckets: tuple[tuple[float, int], ...]
    count: int
    total: float


class Measures:
    """Observations of all processes, in one hash."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def observe(self, name: str, value: float) -> None:
        """Add one observation of a figure in BUCKETS."""
        bound = next((bound for bound in BUCKETS[name] if value <= bound), None)
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.hincrby(KEY, f"{name}:{'inf' if bound is None else bound}", 1)
                pipeline.hincrbyfloat(KEY, f"{name}:sum", value)
                pipeline.execute()
        except redis.RedisError:
            return

    def read(self) -> Mapping[str, Histogram]:
        """Answer every figure; none without Redis."""
        try:
            found: Mapping[str, str] = {_text(key): _text(value) for key, value in self._client.hgetall(KEY).items()}
        except redis.RedisError:
            return {}
        return {name: _histogram(name, bounds, found) for name, bounds in BUCKETS.items()}


def _histogram(name: str, bounds: tuple[float, ...], found: Mapping[str, str]) -> Histogram:
    buckets, count = [], 0
    for bound in bounds:
        count += int(found.get(f"{name}:{bound}", 0))
        buckets.append((bound, count))
    return Histogram(tuple(buckets), count + int(found.get(f"{name}:inf", 0)), float(found.get(f"{name}:sum", 0)))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
