"""Somebody who reads the logs of service api in shop's development."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.ports import PodLine, PodLogs

DEADLINE_SECONDS = 30


@dataclass
class Reader:
    """What was read is in `lines`; it ends with `until`."""

    logs: PodLogs
    until: asyncio.Future[None]
    lines: list[PodLine] = field(default_factory=list)
    place: tuple[str, str, str] = ("shop", "development", "api")
    _items: AsyncGenerator[PodLine, None] | None = None

    def begin(self, since: datetime | None = None, tail: int = 100) -> "Reader":
        """Subscribe; reading begins with the first line that is asked for."""
        self._items = self.logs.follow(*self.place, since=since, tail=tail, until=self.until)
        return self

    async def close(self) -> None:
        """Leave."""
        if self._items is not None:
            await self._items.aclose()

    async def read(self, count: int = 1) -> list[str]:
        """The texts of the next lines."""
        assert self._items is not None
        read = [await asyncio.wait_for(anext(self._items), DEADLINE_SECONDS) for _ in range(count)]
        self.lines += read
        return [line.text for line in read]

    async def read_to(self, text: str) -> list[str]:
        """The texts of all lines up to one."""
        texts: list[str] = []
        while text not in texts:
            texts += await self.read()
        return texts

    async def rest(self) -> list[str]:
        """The texts of all lines until the end."""
        texts: list[str] = []
        while True:
            try:
                texts += await self.read()
            except StopAsyncIteration:
                return texts


def tell(logs: PodLogs, story: Callable[[Reader], Awaitable[None]]) -> None:
    """Tell a story with a reader."""

    async def run() -> None:
        reader = Reader(logs, asyncio.get_running_loop().create_future())
        try:
            await asyncio.wait_for(story(reader), DEADLINE_SECONDS * 2)
        finally:
            await reader.close()

    asyncio.run(run())


async def until(holds: Callable[[], Any], what: str) -> None:
    """Wait for a condition."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not holds():  # noqa: ASYNC110 - other threads and processes decide
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited for {what}") from None


def numbered(count: int, name: str = "line") -> list[str]:
    """So many texts."""
    return [f"{name} {number}" for number in range(count)]
