"""What waits to be sent on one connection: in order, and never more than its bounds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

MESSAGES = 256
CHARACTERS = 1024 * 1024


class Outbox:
    """Messages go in from many tasks and out through one."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[str] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, text: str, patience_seconds: float | None = None) -> None:
        """Queue a message once there is room for it. Raises TimeoutError when there is none in time."""
        if not self._room.is_set():
            async with asyncio.timeout(patience_seconds):
                while not self._room.is_set():
                    await self._room.wait()
        self._waiting.append(text)
        self._size += len(text)
        if len(self._waiting) >= MESSAGES or self._size >= CHARACTERS:
            self._room.clear()
        self._filled.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._filled.wait()
            while self._waiting:
                text = self._waiting.popleft()
                self._size -= len(text)
                if len(self._waiting) < MESSAGES and self._size < CHARACTERS:
                    self._room.set()
                await self._send(text)
            self._filled.clear()
