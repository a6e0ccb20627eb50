"""Events for subscribers: one task per process follows the log in Redis, everybody else listens here.

`stream = await hub.events(after, wanted, project)` answers an async iterator of Event and Gap that starts exactly
after a cursor (None: now; `stream.position` is the cursor to put on the present state). Close it when done. What an
event looks like to a client is no business of this module.

SlowSubscriber          a listener fell too far behind; it may come back with the cursor
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Protocol, Self

import structlog

from adapters.event_entries import parse_cursor
from adapters.event_tail import Gap
from adapters.ports import Unreachable
from adapters.records import Event, EventPage
from api.background import RETRY_SECONDS
from api.threads import call

RING = 5000
"""Events kept in memory, and events that may wait for one listener."""
_CURSORS_KEPT = 256

Wanted = Callable[[Event], bool]


class SlowSubscriber(Exception):  # noqa: N818 - a state of the listener
    """More events wait than may; `cursor` is the last one that was taken."""

    def __init__(self, cursor: str) -> None:
        super().__init__("This subscriber does not keep up; subscribe again after the cursor in extensions")
        self.cursor = cursor


class Log(Protocol):
    """The log, asked: the part of ports.Events that listeners need."""

    def position(self) -> str:
        """See ports.Events.position."""
        ...

    def after(self, cursor: str) -> EventPage:
        """See ports.Events.after."""
        ...


class Tail(Protocol):
    """The log, followed: adapters/events.py."""

    def follow(self, cursor: str) -> AsyncIterator[Event | Gap]:
        """Answer every event after the cursor as it happens."""
        ...


@dataclass(frozen=True)
class Cursor:
    """`<epoch>.<sequence>`; sequences are contiguous within an epoch and mean nothing outside of it."""

    epoch: str
    sequence: int

    @classmethod
    @lru_cache(_CURSORS_KEPT)  # every listener asks for the same ones
    def parse(cls, text: str) -> Self:
        """Raise Refused(InvalidInput) for what is no cursor."""
        return cls(*parse_cursor(text))

    def passed(self, other: "Cursor") -> bool:
        """Whether `other` lies at or before this one."""
        return self.epoch == other.epoch and other.sequence <= self.sequence


class EventStream:
    """The events that one listener wants, without a gap or a double."""

    def __init__(self, hub: "Hub", wanted: Wanted, project: str | None, position: str) -> None:
        self.position = position
        """How far this listener has come; before the first item: where it started."""
        self.project = project
        self._hub = hub
        self._wanted = wanted
        self._live: deque[Event | Gap] = deque()
        self._overflown = False
        self._arrived = asyncio.Event()
        self._items = self._iterate()

    def offer(self, item: Event | Gap) -> None:
        """Take a live item; called by the hub only."""
        if isinstance(item, Gap):
            self._live.clear()
            self._overflown = False
        elif self._overflown or not self._wants(item):
            return
        self._overflown = len(self._live) >= RING
        if not self._overflown:
            self._live.append(item)
        self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event | Gap:
        return await anext(self._items)

    async def aclose(self) -> None:
        """Stop listening."""
        self._hub.forget(self)
        await self._items.aclose()

    async def _iterate(self) -> AsyncGenerator[Event | Gap, None]:
        behind = True
        while behind:
            self._overflown = False
            known = self._hub.known_after(self.position)
            async with aclosing(self._from_redis() if known is None else self._from_memory(known)) as past:
                async for item in past:
                    yield item
            # What overflowed meanwhile is read like the rest of the past; live events begin after it.
            behind = self._overflown
            if behind:
                self._live.clear()
        while True:
            while not self._live:
                if self._overflown:
                    raise SlowSubscriber(self.position)
                self._arrived.clear()
                await self._arrived.wait()
            item = self._live.popleft()
            if self._is_new(item):
                yield item

    async def _from_memory(self, known: Iterator[Event]) -> AsyncGenerator[Event | Gap, None]:
        for event in list(known):
            if self._wants(event) and self._is_new(event):
                yield event

    async def _from_redis(self) -> AsyncGenerator[Event | Gap, None]:
        while True:
            page = await call(self._hub.log.after, self.position)
            for event in page.events:
                if self._wants(event) and self._is_new(event):
                    yield event
            self.position = page.position
            if page.gap:
                yield Gap(page.position)
            if not page.events:
                return

    def _wants(self, event: Event) -> bool:
        """Asked of the past as well as of what the hub offers, which is of one project anyway."""
        return self.project in {None, event.project} and self._wanted(event)

    def _is_new(self, item: Event | Gap) -> bool:
        """Whether this listener has not passed the item yet; from now on it has."""
        text = item.cursor if isinstance(item, Event) else item.position
        mine, cursor = Cursor.parse(self.position), Cursor.parse(text)
        foreign = isinstance(item, Event) and cursor.epoch != mine.epoch
        if foreign or mine.passed(cursor):
            return False
        self.position = text
        return True


class Hub:
    """Follows the log once and hands every event to those who want it. `run` is its task."""

    def __init__(self, tail: Tail, log: Log) -> None:
        self.log = log
        self.lag_seconds = 0.0
        """How old the newest event was when it came in."""
        self._tail = tail
        self._ring: deque[Event] = deque(maxlen=RING)
        self._position: str | None = None
        self._streams: dict[str | None, dict[EventStream, None]] = {}

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._streams.values()))

    async def run(self) -> None:
        """Follow the log for ever; a Redis that is away is tried again, from where the log was left."""
        while True:
            try:
                if self._position is None:
                    self._position = await call(self.log.position)
                async for item in self._tail.follow(self._position):
                    self._publish(item)
            except Unreachable as error:
                structlog.get_logger().warning("event log unreachable", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def events(self, after: str | None, wanted: Wanted, project: str | None = None) -> EventStream:
        """Listen to the events after a cursor (None: from now on) for which `wanted` holds; None for all `project`s.

        Raises Refused(InvalidInput) for a malformed cursor, Unreachable when there is no way to tell what is now.
        """
        position = await call(self.log.position) if after is None else after
        Cursor.parse(position)
        stream = EventStream(self, wanted, project, position)
        self._streams.setdefault(project, {})[stream] = None
        return stream

    def known_after(self, position: str) -> Iterator[Event] | None:
        """Answer what memory holds after a cursor; None when memory cannot tell."""
        if self._position is None:
            return None
        newest, cursor = Cursor.parse(self._position), Cursor.parse(position)
        missed = newest.sequence - cursor.sequence
        if newest.epoch != cursor.epoch or not 0 <= missed <= len(self._ring):
            return None
        return islice(self._ring, len(self._ring) - missed, None)

    def forget(self, stream: EventStream) -> None:
        """No longer hand events to this stream."""
        listeners = self._streams.get(stream.project, {})
        listeners.pop(stream, None)
        if not listeners:
            self._streams.pop(stream.project, None)

    def _publish(self, item: Event | Gap) -> None:
        if isinstance(item, Gap):
            self._ring.clear()
            self._position = item.position
            topics: tuple[str | None, ...] = tuple(self._streams)
        else:
            self._ring.append(item)
            self._position = item.cursor
            self.lag_seconds = max(0.0, (datetime.now(UTC) - item.at).total_seconds())
            topics = (None, item.project) if item.project else (None,)
        for topic in topics:
            for stream in tuple(self._streams.get(topic, ())):
                stream.offer(item)
