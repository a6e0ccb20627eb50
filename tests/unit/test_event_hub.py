"""The hub hands out events without gap or double, from memory where it can."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from adapters.event_tail import Gap
from adapters.records import Event, EventKind, EventPage
from api.events import RING, EventStream, Hub, SlowSubscriber
from gitops.problems import Refused

AT = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Log:
    """A log whose events are handed to the hub when the test says so; `asked` are the cursors it was read after."""

    count: int = 0
    epoch: str = "e1"
    asked: list[str] = field(default_factory=list)
    live: asyncio.Queue[Event | Gap] = field(default_factory=asyncio.Queue)

    def event(self, number: int) -> Event:
        return Event(f"{self.epoch}.{number}", AT, EventKind.COMMIT, "shop" if number % 2 else "other")

    def write(self, many: int = 1, *, told: bool = True) -> None:
        """Add events; `told` hands them to the hub too."""
        for _ in range(many):
            self.count += 1
            if told:
                self.live.put_nowait(self.event(self.count))

    def position(self) -> str:
        return f"{self.epoch}.{self.count}"

    def after(self, cursor: str) -> EventPage:
        self.asked.append(cursor)
        epoch, _, number = cursor.partition(".")
        if epoch != self.epoch:
            return EventPage((), self.position(), gap=True)
        events = tuple(self.event(one) for one in range(int(number) + 1, min(int(number) + 501, self.count + 1)))
        return EventPage(events, events[-1].cursor if events else cursor)

    async def follow(self, _cursor: str) -> AsyncIterator[Event | Gap]:
        """What the test hands over."""
        while True:
            yield await self.live.get()
            self.live.task_done()


@dataclass
class Scene:
    log: Log
    hub: Hub

    async def heard(self) -> None:
        """Let the hub take in all that was told."""
        await self.log.live.join()
        await asyncio.sleep(0)


def play(part: Callable[[Scene], Awaitable[None]], before: int = 0) -> None:
    """Act a scene while the hub runs; `before` events happened before it began."""

    async def act() -> None:
        log = Log(count=before)
        hub = Hub(log, log)
        running = asyncio.ensure_future(hub.run())
        log.write()
        scene = Scene(log, hub)
        await scene.heard()
        await asyncio.wait_for(part(scene), 30)
        running.cancel()

    asyncio.run(act())


async def take(stream: EventStream, many: int) -> list[str]:
    return [
        item.position if isinstance(item, Gap) else item.cursor for item in [await anext(stream) for _ in range(many)]
    ]


def test_a_recent_cursor_is_resumed_from_memory() -> None:
    async def part(scene: Scene) -> None:
        scene.log.write(10)
        await scene.heard()
        stream = await scene.hub.events("e1.104", lambda _: True)
        scene.log.write()
        assert await take(stream, 8) == [f"e1.{number}" for number in range(105, 113)]
        assert scene.log.asked == []
        await stream.aclose()

    play(part, before=100)


def test_an_old_cursor_is_read_from_the_log_and_then_followed() -> None:
    async def part(scene: Scene) -> None:
        stream = await scene.hub.events("e1.3", lambda _: True)
        assert await take(stream, 1) == ["e1.4"]
        scene.log.write(5)
        assert await take(stream, 1202) == [f"e1.{number}" for number in range(5, 1207)]
        assert len(scene.log.asked) == len(set(scene.log.asked))
        await stream.aclose()

    play(part, before=1200)


def test_a_cursor_that_another_process_gave_before_we_heard_of_it_is_not_repeated() -> None:
    async def part(scene: Scene) -> None:
        scene.log.write(3, told=False)
        stream = await scene.hub.events("e1.3", lambda _: True)
        coming = asyncio.ensure_future(take(stream, 2))
        for number in range(2, 6):
            scene.log.live.put_nowait(scene.log.event(number))
        scene.log.count = 5
        assert await coming == ["e1.4", "e1.5"]
        await stream.aclose()

    play(part)


def test_only_what_is_wanted_of_the_project_is_heard() -> None:
    async def part(scene: Scene) -> None:
        stream = await scene.hub.events(None, lambda event: event.cursor != "e1.3", "shop")
        scene.log.write(6)
        assert await take(stream, 2) == ["e1.5", "e1.7"]
        assert scene.hub.listeners == 1
        await stream.aclose()
        assert scene.hub.listeners == 0

    play(part)


@pytest.mark.parametrize(("before", "asked"), [(0, False), (1200, True)], ids=["from memory", "from the log"])
def test_what_a_resumed_listener_missed_is_of_its_project_only(before: int, *, asked: bool) -> None:
    async def part(scene: Scene) -> None:
        scene.log.write(6)
        await scene.heard()
        stream = await scene.hub.events("e1.1", lambda _: True, "shop")
        last = scene.log.count - 1 + scene.log.count % 2
        assert await take(stream, last // 2) == [f"e1.{number}" for number in range(3, last + 1, 2)]
        assert bool(scene.log.asked) is asked
        await stream.aclose()

    play(part, before=before)


def test_a_lost_log_is_one_gap_for_every_listener_whatever_waited_for_it() -> None:
    async def part(scene: Scene) -> None:
        stream = await scene.hub.events(None, lambda _: True)
        scene.log.write()
        assert await take(stream, 1) == ["e1.2"]
        scene.log.write(2)
        scene.log.epoch, scene.log.count = "e2", 0
        scene.log.live.put_nowait(Gap("e2.0"))
        scene.log.write(1)
        await scene.heard()
        assert await take(stream, 2) == ["e2.0", "e2.1"]
        stale = await scene.hub.events("e1.1", lambda _: True)
        assert await take(stale, 1) == ["e2.1"]
        await stream.aclose()
        await stale.aclose()

    play(part)


def test_a_listener_who_falls_too_far_behind_is_told_where_it_was() -> None:
    async def part(scene: Scene) -> None:
        stream = await scene.hub.events(None, lambda _: True)
        scene.log.write()
        await take(stream, 1)
        scene.log.write(RING + 10)
        await scene.heard()
        await take(stream, RING)
        with pytest.raises(SlowSubscriber) as slow:
            await anext(stream)
        assert slow.value.cursor == f"e1.{RING + 2}"
        await stream.aclose()
        again = await scene.hub.events(slow.value.cursor, lambda _: True)
        assert await take(again, 10) == [f"e1.{RING + number}" for number in range(3, 13)]
        await again.aclose()

    play(part)


def test_what_happens_during_a_long_catching_up_is_caught_up_too() -> None:
    async def part(scene: Scene) -> None:
        stream = await scene.hub.events("e1.0", lambda _: True)
        await take(stream, 1)
        scene.log.write(RING + 10)
        await scene.heard()
        scene.log.write(1)
        assert (await take(stream, 600 + RING + 11))[-1] == f"e1.{601 + RING + 11}"
        await stream.aclose()

    play(part, before=600)


def test_a_malformed_cursor_is_refused_and_leaves_no_listener() -> None:
    async def part(scene: Scene) -> None:
        with pytest.raises(Refused):
            await scene.hub.events("nonsense", lambda _: True)
        assert scene.hub.listeners == 0

    play(part)
