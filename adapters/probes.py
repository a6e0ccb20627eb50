"""Looks whether what this process stands on is there and in order; each answers what is wrong, '' for nothing."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import Redis

from adapters.ports import Cluster, GitHost, Registry, Statuses
from adapters.redis_client import check, reached

FREE_BYTES = 200 * 1024 * 1024
OBSERVER_SILENCE = timedelta(seconds=15)
DELIVERY_SILENCE = timedelta(seconds=90)
"""Longer than from one list of everything to the next."""
WORKER_LEASE = "lucity:lease:sweep"
"""Held by one of the workers at any time, but for moments between its rounds."""
_MOMENT_SECONDS = 0.5

Probe = Callable[[], str]


def redis_probe(client: Redis) -> str:
    """Ask whether Redis answers, and keeps what it is told."""
    return "; ".join(check(client))


def git_probe(githost: GitHost) -> str:
    """Ask whether the Git host answers."""
    githost.projects()
    return ""


def disk_probe(data: Path) -> str:
    """Try whether the data folder takes files and has room."""
    probe = data / f".probe-{os.getpid()}"
    probe.write_bytes(b"")
    probe.unlink(missing_ok=True)
    found = os.statvfs(data)
    free = found.f_bavail * found.f_frsize
    return "" if free >= FREE_BYTES else f"{data.name} has only {free // 2**20} MiB left; make room"


def worker_probe(client: Redis) -> str:
    """Look whether some worker makes its rounds."""
    deadline = time.monotonic() + _MOMENT_SECONDS
    while True:
        with reached():
            if client.exists(WORKER_LEASE):
                return ""
        if time.monotonic() > deadline:
            return "no worker is running; start `lucity worker`"
        time.sleep(_MOMENT_SECONDS / 10)


def registry_probe(registry: Registry) -> str:
    """Ask whether the registry answers and lets us in."""
    registry.check()
    return ""


def cluster_probe(cluster: Cluster) -> str:
    """Ask whether the cluster answers."""
    cluster.check()
    return ""


def observer_probe(statuses: Statuses) -> str:
    """Look whether some observer works."""
    seen = statuses.signs().observer
    if seen is None:
        return "no observer has looked yet; start `lucity observer`"
    silence = datetime.now(UTC) - seen
    return "" if silence <= OBSERVER_SILENCE else f"the observer was last heard {silence.total_seconds():.0f} s ago"


def delivery_probe(statuses: Statuses) -> str:
    """Look whether the observer hears of the delivery."""
    heard = statuses.signs().delivery
    if heard is None:
        return "nothing was heard of the delivery yet; the observer's log says why"
    silence = datetime.now(UTC) - heard
    said = f"the delivery was last heard {silence.total_seconds():.0f} s ago; the observer's log says why"
    return "" if silence <= DELIVERY_SILENCE else said
