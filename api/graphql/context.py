"""What resolvers have at hand: ports, who asks, the event hub, and loaders that live for one execution only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from strawberry.types import Info as StrawberryInfo

from adapters.event_tail import EventTail
from adapters.wiring import Ports
from api.events import Hub
from api.graphql.loaders import Loaders
from api.log_bell import LogBell
from api.reading.heads import Flights
from api.resource_trees import Trees
from gitops.changes import Actor


class Check(Protocol):
    """What a health check found out about one component (api/health.py)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def healthy(self) -> bool: ...  # noqa: D102
    @property
    def message(self) -> str | None: ...  # noqa: D102
    @property
    def latency_ms(self) -> float | None: ...  # noqa: D102


Checks = Callable[[], Sequence[Check]]
"""Looks at every component; synchronous, called in a worker thread."""


@dataclass(frozen=True)
class Context:
    """Fresh for every execution, every event of a subscription included: loaders must not remember."""

    ports: Ports
    actor: Actor
    hub: Hub
    bell: LogBell
    flights: Flights
    checks: Checks
    trees: Trees
    load: Loaders


class Contexts:
    """Makes contexts; one per process, because fetches under way are shared by all who wait for them."""

    def __init__(self, ports: Ports, hub: Hub, checks: Checks) -> None:
        self._ports = ports
        self._hub = hub
        self._checks = checks
        self._flights = Flights(ports)
        self._bell = LogBell(EventTail(ports.settings.redis, ports.settings).log_wakeups)
        self._trees = Trees(ports, hub, self._flights)

    def fresh(self, actor: Actor) -> Context:
        """Make the context of one execution on behalf of `actor`."""
        load = Loaders.of(self._ports, self._flights)
        return Context(self._ports, actor, self._hub, self._bell, self._flights, self._checks, self._trees, load)


Info = StrawberryInfo[Context, None]
