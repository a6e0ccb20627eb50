"""What resolvers have at hand: ports, who asks, the event hub, and loaders that live for one execution only."""

from dataclasses import dataclass

from strawberry.types import Info as StrawberryInfo

from adapters.event_tail import EventTail
from adapters.wiring import Ports
from api.events import Hub
from api.graphql.loaders import Loaders
from api.health import Checks
from api.log_bell import LogBell
from api.reading.heads import Flights
from api.resource_trees import Trees
from gitops.changes import Actor


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
