"""The event log as it grows, for the API's event loop: one connection and one read per event and process, no event
lost or doubled whatever happens to Redis.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from adapters.event_entries import STREAM, parse_cursor, parse_entry, parse_flat
from adapters.ports import Unreachable
from adapters.records import Event
from adapters.redis_client import reached, script_context, script_text
from adapters.settings import Settings

BATCH = 500
BLOCK_MILLISECONDS = 1000
"""How long a read waits for events before the log's epoch is looked at again: a lost log wakes nobody."""
LONGEST_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Gap:
    """The cursor cannot be honoured: read the present state, then go on; what follows comes after `position`."""

    position: str


class EventTail:
    """Follows the log; each call of a method has a connection of its own until its iterator is closed."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings

    async def follow(self, cursor: str) -> AsyncGenerator[Event | Gap, None]:
        """Every event after the cursor, for ever; waits while Redis is away. Raises Refused for a malformed cursor."""
        parse_cursor(cursor)
        failures = 0
        while True:
            try:
                async with aclosing(self._until_it_breaks(cursor)) as items:
                    async for item in items:
                        failures = 0
                        cursor = item.position if isinstance(item, Gap) else item.cursor
                        yield item
            except Unreachable:
                failures += 1
                await _pause(failures)

    async def log_wakeups(self) -> AsyncGenerator[str, None]:
        """Ids of jobs whose log grew. '' after each (re)connection: any wake-up may have been missed, look at all."""
        failures = 0
        while True:
            try:
                async with aclosing(self._wakeups_until_it_breaks()) as job_ids:
                    async for job_id in job_ids:
                        failures = 0
                        yield job_id
            except Unreachable:
                failures += 1
                await _pause(failures)

    async def _until_it_breaks(self, cursor: str) -> AsyncGenerator[Event | Gap, None]:
        async with self._connect() as client:
            catching_up = True
            while True:
                items = await (self._catch_up(client, cursor) if catching_up else _next_events(client, cursor))
                for item in items:
                    yield item
                    cursor = item.position if isinstance(item, Gap) else item.cursor
                catching_up = len(items) == BATCH if catching_up else not items

    async def _catch_up(self, client: Redis, cursor: str) -> Sequence[Event | Gap]:
        script = client.register_script(script_text("events_after"))
        with reached():
            answer: Any = await script(args=[*script_context(self._settings), *parse_cursor(cursor), BATCH])
        epoch, newest, gap, entries = answer
        return [Gap(f"{epoch}.{newest}")] if gap else [parse_flat(*entry) for entry in entries]

    async def _wakeups_until_it_breaks(self) -> AsyncGenerator[str, None]:
        async with self._connect() as client, client.pubsub() as channel:
            with reached():
                await channel.subscribe("lucity:logs")
            while True:
                with reached():
                    message = await channel.get_message(timeout=BLOCK_MILLISECONDS / 1000)
                if message is not None:
                    yield str(message["data"]) if message["type"] == "message" else ""

    def _connect(self) -> Redis:
        return Redis.from_url(
            self._url,
            decode_responses=True,
            protocol=2,
            socket_connect_timeout=1,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )


async def _next_events(client: Redis, cursor: str) -> Sequence[Event]:
    """What was written after the cursor, none when nothing was for a while, or when it is not what follows it."""
    epoch, sequence = parse_cursor(cursor)
    with reached():
        answer: Any = await client.xread({STREAM: f"{sequence}-0"}, count=BATCH, block=BLOCK_MILLISECONDS)
    entries = answer[0][1] if answer else []
    if entries and (entries[0][0] != f"{sequence + 1}-0" or entries[0][1]["epoch"] != epoch):
        return []
    return [parse_entry(*entry) for entry in entries]


async def _pause(failures: int) -> None:
    longest = min(LONGEST_WAIT_SECONDS, 0.05 * 2**failures)
    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - jitter
