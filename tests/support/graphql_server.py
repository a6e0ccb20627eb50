"""The API's transport on a real socket, over a small schema, a log in memory and the tokens' own world."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import strawberry
from graphql import GraphQLSchema
from strawberry.types import Info as StrawberryInfo

from adapters.event_tail import Gap
from adapters.ports import Unreachable
from adapters.records import Event, EventKind, EventPage
from adapters.settings import Settings
from adapters.smart_http import BareRepository, ServedRepository, Service
from api.app import Parts, assemble
from api.events import Hub
from api.health import checks_by
from api.metrics import Figures
from api.reading.ejections import Ejection
from api.transport.websocket import Bounds
from api.webhooks import Webhooks
from gitops.changes import Actor, ActorKind
from gitops.problems import Conflict, ConflictCode, NotFound, PermissionDenied, Refused, invalid
from jobs.pushes import Accepted
from tests.support.serving import served
from tests.support.tokens import World

EPOCH = "e1"


@dataclass
class MemoryLog:
    """An event log in memory; its events are there to read. `kept` is the first sequence that was not trimmed."""

    epoch: str = EPOCH
    events: list[Event] = field(default_factory=list)
    kept: int = 1
    reads: int = 0

    def emit(self, project: str = "shop", text: str = "") -> str:
        """Add an event; its cursor."""
        cursor = f"{self.epoch}.{len(self.events) + 1}"
        self.events.append(Event(cursor, datetime.now(UTC), EventKind.COMMIT, project, commit=text))
        return cursor

    def lose(self, epoch: str) -> None:
        """Forget everything, as after a FLUSHALL."""
        self.epoch, self.events = epoch, []

    def position(self) -> str:
        return f"{self.epoch}.{len(self.events)}"

    def after(self, cursor: str) -> EventPage:
        epoch, _, sequence = cursor.partition(".")
        number = int(sequence)
        self.reads += 1
        if epoch != self.epoch or number > len(self.events) or number < self.kept - 1:
            return EventPage((), self.position(), gap=True)
        page = tuple(self.events[number : number + 3])
        return EventPage(page, page[-1].cursor if page else cursor)

    async def follow(self, cursor: str) -> AsyncIterator[Event | Gap]:
        """The events as they come."""
        while True:
            page = self.after(cursor)
            for event in page.events:
                yield event
            if page.gap:
                yield Gap(page.position)
            cursor = page.position
            await asyncio.sleep(0 if page.events else 0.002)


@dataclass
class Context:
    """What test resolvers have at hand; `counts` says how often each ran."""

    actor: Actor
    hub: Hub
    counts: dict[str, int]

    def count(self, name: str) -> None:
        """One more run."""
        self.counts[name] = self.counts.get(name, 0) + 1


Info = StrawberryInfo[Context, None]


@strawberry.type
class Node:
    name: str

    @strawberry.field
    def again(self) -> "Node":
        return self


@strawberry.type
class Nodes:
    nodes: list[Node]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello {name}"

    @strawberry.field
    def number(self, value: int) -> int:
        return value

    @strawberry.field
    def viewer(self, info: Info) -> str:
        return info.context.actor.name

    @strawberry.field
    def node(self) -> Node:
        return Node(name="n")

    @strawberry.field
    def many(self, first: int | None = 20) -> Nodes:
        return Nodes(nodes=[Node(name=str(number)) for number in range(first or 0)])

    @strawberry.field
    async def fails(self, how: str) -> str | None:
        match how:
            case "missing":
                raise Refused(NotFound("no such thing", "thing", "x"))
            case "forbidden":
                raise Refused(PermissionDenied("not you", "read"))
            case "input":
                raise invalid("x", "malformed")
            case "conflict":
                raise Refused(Conflict("moved", ConflictCode.HEAD_MOVED))
            case "away":
                raise Unreachable("redis", "at secret-host:6379")
            case _:
                raise RuntimeError("the password is hunter2")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def bump(self, info: Info) -> int:
        info.context.count("bump")
        return info.context.counts["bump"]


@strawberry.type
class Tick:
    cursor: str
    gap: bool
    text: str
    identity: strawberry.Private[tuple[str, ...] | None] = None

    @strawberry.field
    async def heavy(self, info: Info) -> str:
        info.context.count("heavy")
        await asyncio.sleep(0)
        return info.context.actor.name


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: Info, project: str, after: str | None = None) -> AsyncGenerator[Tick, None]:
        info.context.count("opened")
        try:
            async with aclosing(await info.context.hub.events(after, lambda _: True, project)) as stream:
                yield Tick(cursor=stream.position, gap=False, text="present")
                async for item in stream:
                    if isinstance(item, Event):
                        text = item.commit or ""
                        yield Tick(cursor=item.cursor, gap=False, text=text, identity=("tick", item.cursor))
                    else:
                        yield Tick(cursor=item.position, gap=True, text="present")
        finally:
            info.context.count("closed")

    @strawberry.subscription
    async def broken(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError("the password is hunter2")

    @strawberry.subscription
    async def three(self) -> AsyncGenerator[int, None]:
        for number in range(3):
            yield number


def small_schema() -> GraphQLSchema:
    """The schema of these tests."""
    return strawberry.Schema(Query, Mutation, Subscription)._schema  # noqa: SLF001 - Strawberry offers no other way


@dataclass
class Server:
    """A running API. `token` is an administrator's; `counts` how often resolvers ran."""

    port: int
    world: World
    log: MemoryLog
    hub: Hub
    counts: dict[str, int]
    token: str
    token_id: str
    data: Path
    pushed: list[str]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Where its WebSocket is."""
        return f"ws://127.0.0.1:{self.port}/graphql"

    @property
    def headers(self) -> dict[str, str]:
        """A bearer token."""
        return {"Authorization": f"Bearer {self.token}"}


Find = Callable[[str, Service], ServedRepository]


def bare(path: Callable[[str], Path]) -> Find:
    """Repositories in folders."""
    return lambda project, _service: BareRepository.of(path(project), project)


@contextmanager
def serving(
    data: Path, bounds: Bounds | None = None, repository: Find | None = None, **settings: int
) -> Iterator[Server]:
    """Run the API on a free port until the block ends."""
    world, log = World(), MemoryLog()
    counts: dict[str, int] = {}
    pushed: list[str] = []
    world.clock.now = datetime.now(UTC)
    tokens = world.tokens()
    record, secret = tokens.issue(None, "Ada", "ada@example.org", ActorKind.PERSON)
    hub = Hub(log, log)
    parts = Parts(
        settings=Settings(data=data, **settings),  # type: ignore[arg-type]
        tokens=tokens,
        hub=hub,
        schema=small_schema(),
        context=lambda actor: Context(actor, hub, counts),
        checks=checks_by({"git": lambda: "it is down" if (data / "down").exists() else ""}),
        figures=Figures(hub, list, dict),
        repository=repository or bare(lambda project: data / f"{project}.git"),
        notice=pushed.append,
        eject=lambda project, _url: Ejection(f"{project}.tar.gz", 0, BytesIO()),
        webhooks=Webhooks(lambda _project: None, lambda *_: Accepted()),
        bounds=bounds or Bounds(),
    )
    with served(assemble(parts)) as port:
        yield Server(port, world, log, hub, counts, secret, record.id, data, pushed)
