"""Whether this process lives, and whether all that it stands on is ready."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Protocol

import structlog
from redis import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from adapters.ports import Unreachable
from adapters.probes import (
    Probe,
    cluster_probe,
    delivery_probe,
    disk_probe,
    git_probe,
    observer_probe,
    redis_probe,
    registry_probe,
    worker_probe,
)
from adapters.wiring import Ports
from api.threads import call
from gitops.problems import Refused

_DISPENSABLE = frozenset({"delivery", "cluster", "registry"})
"""Components that changes can do without: shown, and never a reason not to be ready."""


@dataclass(frozen=True)
class Check:
    """What was found out about one component; `message` says what is wrong."""

    name: str
    kind: str
    healthy: bool
    message: str | None
    latency_ms: float | None


class Checks(Protocol):
    """Looks at every component, but for those named."""

    def __call__(self, without: Collection[str] = ()) -> Sequence[Check]:
        """What is found; one left out is not even asked, for it may not answer for long."""
        ...


def checks_of(ports: Ports, client: Redis) -> Checks:
    """Make the checks of every component of these ports."""
    probes: dict[str, Probe] = {
        "redis": partial(redis_probe, client),
        "git": partial(git_probe, ports.githost),
        "disk": partial(disk_probe, ports.settings.data),
        "worker": partial(worker_probe, client),
        "observer": partial(observer_probe, ports.statuses),
        "delivery": partial(delivery_probe, ports.statuses),
    }
    if ports.cluster is not None:
        probes["cluster"] = partial(cluster_probe, ports.cluster)
    if ports.registry is not None:
        probes["registry"] = partial(registry_probe, ports.registry)
    return checks_by(probes)


def checks_by(probes: Mapping[str, Probe]) -> Checks:
    """Make checks that ask these probes."""

    def look(without: Collection[str] = ()) -> Sequence[Check]:
        return [_check(name, probe) for name, probe in probes.items() if name not in without]

    return look


def _check(name: str, probe: Probe) -> Check:
    started = perf_counter()
    try:
        message = probe()
    except (Unreachable, Refused, OSError) as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001 - a check that fails is a component that is not ready
        structlog.get_logger().error("health check failed", component=name, exc_info=error)
        message = f"the check itself failed: {type(error).__name__}"
    latency_ms = round((perf_counter() - started) * 1000, 2)
    return Check(name, name, not message, message or None, latency_ms)


async def alive(_request: Request) -> Response:
    """GET /healthz: the process answers."""
    return PlainTextResponse("ok\n")


class Readiness:
    """GET /readyz: every component with its reason; 503 when one is not ready that changes need. `?exclude=worker`
    leaves one out, and may be given again: a probe must not take the API away because something else is.
    """

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    async def answer(self, request: Request) -> Response:
        """Answer what the checks say now."""
        found = await call(self._checks, request.query_params.getlist("exclude"))
        ready = all(check.healthy or check.name in _DISPENSABLE for check in found)
        components = [_shown(check) for check in found]
        return JSONResponse({"ready": ready, "components": components}, 200 if ready else 503)


def _shown(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "kind": check.kind,
        "healthy": check.healthy,
        "message": check.message,
        "latencyMs": check.latency_ms,
    }
