"""What the cluster said last of environments, and how far that can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.ports import Unreachable
from adapters.probes import DELIVERY_SILENCE
from adapters.wiring import Ports
from gitops.rollouts import HealthStatus, Observation, worst


@dataclass(frozen=True)
class StatusView:
    """The last observation of an environment; None: nothing was observed, or Redis is away."""

    observation: Observation | None
    stale: bool


def statuses_of(ports: Ports, keys: Sequence[tuple[str, str]]) -> list[StatusView]:
    """The status of each (project, environment), in order, by two reads of Redis."""
    try:
        found, stale = ports.statuses.status(keys), silent(ports)
    except Unreachable:
        return [StatusView(None, stale=True) for _ in keys]
    return [StatusView(found.get(key), stale) for key in keys]


def silent(ports: Ports) -> bool:
    """Whether nothing was heard of the delivery for longer than should be. Raises Unreachable('redis')."""
    heard = ports.statuses.signs().delivery
    return heard is None or datetime.now(UTC) - heard > DELIVERY_SILENCE


def service_health(view: StatusView, service: str) -> HealthStatus:
    """The worst health among the service's own resources; UNKNOWN when none was seen."""
    seen = view.observation.resources if view.observation else ()
    return worst(resource.health for resource in seen if resource.service == service)
