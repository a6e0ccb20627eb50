"""Following the event log and the logs of jobs as they grow, whatever happens to Valkey."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from redis.client import Pipeline

from adapters.event_entries import STREAM, sequence
from adapters.event_tail import EventTail, Gap
from adapters.records import (
    Event,
)
from adapters.redis_client import script_context, script_text
from gitops.problems import (
    Refused,
)
from tests.support.redis_ports import DEADLINE_SECONDS, RedisPorts, a_job, redis_ports, until
from tests.support.valkey import ValkeyServer


def follow(valkey: ValkeyServer, cursor: str, count: int, meanwhile: Callable[[], object]) -> list[Event | Gap]:
    """The first items of a tail; `meanwhile` runs in a thread once the tail has begun."""

    async def run() -> list[Event | Gap]:
        items: list[Event | Gap] = []
        async with asyncio.timeout(DEADLINE_SECONDS), aclosing(_tail(valkey).follow(cursor)) as tail:
            first = asyncio.ensure_future(anext(tail))
            work = asyncio.ensure_future(asyncio.to_thread(meanwhile))
            items.append(await first)
            while len(items) < count:
                items.append(await anext(tail))
            await work
        return items

    return asyncio.run(run())


def _tail(valkey: ValkeyServer) -> EventTail:
    return EventTail(valkey.url, redis_ports(valkey.url).settings)


def test_a_tail_gives_every_event_after_its_cursor_once(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.admit(a_job())
    start = redis.events.position()
    redis.admit(*(a_job() for _ in range(600)))
    items = follow(valkey, start, 650, lambda: redis.admit(*(a_job() for _ in range(50))))
    assert items == redis.told(start)


def test_a_tail_goes_on_after_redis_crashed(valkey: ValkeyServer, redis: RedisPorts) -> None:
    start = redis.events.position()

    def meanwhile() -> None:
        for _ in range(2):
            redis.admit(*(a_job() for _ in range(20)))
            valkey.restart()
        redis.admit(*(a_job() for _ in range(20)))

    items = follow(valkey, start, 60, meanwhile)
    assert items == redis.told(start)
    assert [sequence(event.cursor) for event in items if isinstance(event, Event)] == list(range(1, 61))


def test_a_tail_tells_a_gap_once_when_its_cursor_was_trimmed(valkey: ValkeyServer, redis: RedisPorts) -> None:
    start = redis.events.position()
    redis.admit(*(a_job() for _ in range(5)))
    redis_ports(valkey.url, events_kept=1).claims.sweep(1)

    async def run() -> tuple[Event | Gap, Event | Gap]:
        async with asyncio.timeout(DEADLINE_SECONDS), aclosing(_tail(valkey).follow(start)) as tail:
            first = await anext(tail)
            redis.events.revoked("tok_1")
            return first, await anext(tail)

    end = redis.events.position()
    gap, event = asyncio.run(run())
    assert gap == Gap(end)
    assert isinstance(event, Event)
    assert event.token_id == "tok_1"


def while_it_waits(valkey: ValkeyServer, redis: RedisPorts, act: Callable[[], object]) -> Event | Gap:
    """The next item of a tail that is at the end of the log and waits in Redis when `act` runs."""

    def acts() -> None:
        until(lambda: [it for it in redis.client.client_list() if "b" in it["flags"]], "a tail that waits")
        act()

    (item,) = follow(valkey, redis.events.position(), 1, acts)
    return item


def test_a_waiting_tail_notices_a_new_log_that_reached_its_sequence(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.events.revoked("tok_1")

    def lose_and_refill() -> None:
        pipeline = redis.client.pipeline(transaction=True)
        pipeline.flushall()
        revoke_in(pipeline, redis, "tok_2", "tok_3")
        pipeline.execute()

    assert while_it_waits(valkey, redis, lose_and_refill) == Gap(redis.events.position())


def test_a_waiting_tail_notices_that_what_it_waited_for_was_trimmed(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.events.revoked("tok_1")

    def fill_and_trim() -> None:
        pipeline = redis.client.pipeline(transaction=True)
        revoke_in(pipeline, redis, "tok_2", "tok_3", "tok_4")
        pipeline.xtrim(STREAM, maxlen=1, approximate=False)
        pipeline.execute()

    assert while_it_waits(valkey, redis, fill_and_trim) == Gap(redis.events.position())


def revoke_in(pipeline: Pipeline, redis: RedisPorts, *tokens: str) -> None:
    for token in tokens:
        arguments = [str(part) for part in script_context(redis.settings)]
        pipeline.eval(script_text("events_append"), 0, *arguments, "TOKEN_REVOKED", "", "", "", token)


def test_a_tail_notices_that_the_log_was_lost_while_it_waited(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.admit(*(a_job() for _ in range(5)))
    before = redis.events.position()

    async def run() -> tuple[Event | Gap, str, Event | Gap, Event | Gap]:
        async with asyncio.timeout(DEADLINE_SECONDS), aclosing(_tail(valkey).follow(before)) as tail:
            redis.events.revoked("tok_1")
            seen = await anext(tail)
            redis.client.flushall()
            lost = redis.events.position()
            gap = await anext(tail)
            redis.events.revoked("tok_2")
            return seen, lost, gap, await anext(tail)

    seen, lost, gap, after = asyncio.run(run())
    assert isinstance(seen, Event)
    assert gap == Gap(lost)
    assert isinstance(after, Event)
    assert (after.token_id, sequence(after.cursor)) == ("tok_2", 1)


def test_a_tail_is_not_fooled_by_a_new_log_that_reached_its_sequence(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.events.revoked("tok_1")
    before = redis.events.position()
    redis.client.flushall()
    for _ in range(3):
        redis.events.revoked("tok_2")
    (gap,) = follow(valkey, before, 1, lambda: None)
    assert gap == Gap(redis.events.position())


def test_a_tail_refuses_a_malformed_cursor(valkey: ValkeyServer) -> None:
    with pytest.raises(Refused):
        follow(valkey, "nonsense", 1, lambda: None)


def test_followers_of_a_log_are_woken_and_told_when_they_may_have_missed_it(
    valkey: ValkeyServer, redis: RedisPorts
) -> None:
    async def scenario() -> list[str]:
        heard: list[str] = []
        async with asyncio.timeout(DEADLINE_SECONDS), aclosing(_tail(valkey).log_wakeups()) as wakeups:
            heard.append(await anext(wakeups))
            await asyncio.to_thread(redis.events.append_log, "job_7", [("stdout", "hello")])
            heard.append(await anext(wakeups))
            await asyncio.to_thread(valkey.restart)
            heard.append(await anext(wakeups))
            await asyncio.to_thread(redis.events.append_log, "job_8", [("stdout", "hello")])
            heard.append(await anext(wakeups))
        return heard

    assert asyncio.run(scenario()) == ["", "job_7", "", "job_8"]
