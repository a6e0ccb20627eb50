"""Trees of environments for subscribers: one watch per environment and process while anybody follows it, however many.

`async for seen in trees.follow(project, environment)` begins with the present tree and goes on with every other one; a
follower that is late misses the trees between. What a tree looks like to a client is no business of this module.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat

import structlog

from adapters.ports import Unreachable
from adapters.records import Event, EventKind
from adapters.resource_nodes import ResourceNode
from adapters.wiring import Ports
from api.background import end
from api.events import Hub, SlowSubscriber
from api.reading.heads import Flights, head_of
from api.reading.repositories import views_of
from api.threads import call, call_aside
from gitops.changes import JobKind

SETTLED_SECONDS = 1.0
"""After this a stream that was asked for is open: what fell between is found by looking again."""
RELOOK_SECONDS = 60.0
RETRY_SECONDS = (0.5, 2.0)
ANSWER_SECONDS = 10.0
_log = structlog.get_logger()


@dataclass(frozen=True)
class Seen:
    """A tree, and when it was first seen to be so."""

    nodes: tuple[ResourceNode, ...]
    at: datetime


class Trees:
    """Reads and follows what ports.ResourceTrees tell."""

    def __init__(self, ports: Ports, hub: Hub, flights: Flights) -> None:
        self._ports = ports
        self._hub = hub
        self._flights = flights
        self._watches: dict[tuple[str, str], _Watch] = {}

    @property
    def watched(self) -> Collection[tuple[str, str]]:
        """The environments that somebody follows now."""
        return self._watches.keys()

    async def now(self, project: str, environment: str) -> tuple[ResourceNode, ...] | None:
        """The present tree, empty before there is an application; None when the delivery does not answer soon."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await call_aside(self._ports.trees.tree, project, environment)
        except (Unreachable, TimeoutError):
            return None
        return () if found is None else tuple(found)

    async def follow(self, project: str, environment: str) -> AsyncGenerator[Seen, None]:
        """The present tree, then every change of it, through outages, until the environment is deleted."""
        key = project, environment
        watch = self._watches.get(key)
        if watch is None or watch.over:
            watch = self._watches[key] = _Watch(self._ports, self._hub, self._flights, key)
        watch.followers += 1
        try:
            async for seen in watch.trees():
                yield seen
        finally:
            watch.followers -= 1
            if not watch.followers:
                if self._watches.get(key) is watch:
                    del self._watches[key]
                await watch.end()


class _Watch:
    """The tree of one environment, read whenever the delivery rings."""

    def __init__(self, ports: Ports, hub: Hub, flights: Flights, key: tuple[str, str]) -> None:
        self.followers = 0
        self._ports = ports
        self._hub = hub
        self._flights = flights
        self._project, self._environment = key
        self._seen: Seen | None = None
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(lambda _: self._tell())

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._task.done()

    async def trees(self) -> AsyncIterator[Seen]:
        """What is seen, the newest only. Raises what nobody foresaw."""
        shown: Seen | None = None
        while True:
            news = self._news
            if self._seen is not None and self._seen is not shown:
                shown = self._seen
                yield shown
            elif self.over:
                self._task.result()
                return
            else:
                await news.wait()

    async def end(self) -> None:
        """Stop watching."""
        await end(self._task)

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _run(self) -> None:
        """Follow the delivery for as long as Git has the environment."""
        works = [asyncio.ensure_future(work) for work in (self._deleted(), self._delivered())]
        try:
            (first, *_), _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            first.result()
        finally:
            await end(*works)

    async def _deleted(self) -> None:
        """Return once Git has the environment no more."""
        while True:
            try:
                async with aclosing(await self._hub.events(None, self._moves, self._project)) as events:
                    if not await call(self._exists):
                        return
                    async for _ in events:
                        if not await call(self._exists):
                            return
            except (Unreachable, SlowSubscriber):
                await _pause()

    def _moves(self, event: Event) -> bool:
        """Whether the environment may be gone after it: its files, or all of the project."""
        match event.kind:
            case EventKind.COMMIT:
                return self._environment in event.environments
            case EventKind.JOB:
                return event.job is not None and event.job.kind is JobKind.PROJECT_DELETE and event.job.state.ended
            case _:
                return event.kind is EventKind.HISTORY_REWRITTEN

    def _exists(self) -> bool:
        head = head_of(self._ports, self._flights, self._project)
        if head.sha is None:
            return False
        (view,) = views_of(self._ports, [(self._project, head.sha)])
        return view.environment(self._environment) is not None

    async def _delivered(self) -> None:
        """Read the tree at first, when the delivery rings, and now and then; again after every outage."""
        told = False
        while True:
            try:
                if await self._look():
                    await self._listen()
                told = False
            except Unreachable as outage:
                if not told:
                    _log.info("resource tree unreachable", project=self._project, reason=str(outage))
                told = True
            await _pause()

    async def _look(self) -> bool:
        """Whether there is an application to look at."""
        found = await call_aside(self._ports.trees.tree, self._project, self._environment)
        nodes = () if found is None else tuple(found)
        if self._seen is None or nodes != self._seen.nodes:
            self._seen = Seen(nodes, datetime.now(UTC))
            self._tell()
        return found is not None

    async def _listen(self) -> None:
        """Until the bell says no more, or there is nothing to look at; raises what the bell raises."""
        rung = asyncio.Event()
        ringing = asyncio.ensure_future(self._hear(rung))
        ringing.add_done_callback(lambda _: rung.set())
        try:
            for seconds in chain((SETTLED_SECONDS,), repeat(RELOOK_SECONDS)):
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), seconds)
                rung.clear()
                if ringing.done():
                    return ringing.result()
                if not await self._look():
                    return None
        finally:
            await end(ringing)

    async def _hear(self, rung: asyncio.Event) -> None:
        async with aclosing(self._ports.trees.rings(self._project, self._environment)) as rings:
            async for _ in rings:
                rung.set()


async def _pause() -> None:
    """At no time for all at once."""
    await asyncio.sleep(random.uniform(*RETRY_SECONDS))  # noqa: S311 - nothing is secret here
