"""Many WebSocket clients in one process, with as little work for each message as can be.

`python -m bench._subscribers HOST PORT PATH TOKEN COUNT MARKS`: prints `ready` when every subscription has had its
first message, then for each mark a line of JSON: when each client received the message that holds the mark. A mark is
40 hexadecimal digits; mark n is n.
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time

QUERY = """subscription ($project: String!, $environment: String!) {
  environmentStatus(project: $project, environment: $environment) { cursor status { sync health revision } } }"""
SUBSCRIBE = {
    "id": "1",
    "type": "subscribe",
    "payload": {"query": QUERY, "variables": {"project": "shop", "environment": "development"}},
}
TEXT, PING, PONG = 1, 9, 10


def mark_of(number: int) -> str:
    """The mark of an event."""
    return f"{number:040x}"


class Subscriber(asyncio.Protocol):
    """One connection. Frames of a server are not masked, and ours are short."""

    def __init__(self, audience: "Audience") -> None:
        self._audience = audience
        self._buffer = b""
        self._upgraded = False
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {self._audience.path} HTTP/1.1",
            f"Host: {self._audience.host}:{self._audience.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        """Note what came."""
        now = time.perf_counter()
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            assert b"permessage-deflate" not in head, "this client does not inflate"
            self._upgraded, self._buffer = True, rest
            self._send(json.dumps({"type": "connection_init", "payload": {"token": self._audience.token}}).encode())
            self._send(json.dumps(SUBSCRIBE).encode())
        while (frame := self._frame()) is not None:
            self._audience.heard(frame, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody may go."""
        if not self._audience.over.is_set():
            sys.exit(f"a subscriber was cut off: {exc}, {self._buffer[:200]!r}")

    def _send(self, data: bytes, opcode: int = TEXT) -> None:
        size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + struct.pack(">H", len(data))
        assert self._transport is not None
        self._transport.write(bytes([0x80 | opcode]) + size + b"\0\0\0\0" + data)

    def _frame(self) -> bytes | None:
        if len(self._buffer) < 4:
            return None
        size, start = self._buffer[1] & 0x7F, 2
        if size == 126:
            (size,), start = struct.unpack(">H", self._buffer[2:4]), 4
        if len(self._buffer) < start + size:
            return None
        opcode = self._buffer[0] & 0x0F
        frame, self._buffer = self._buffer[start : start + size], self._buffer[start + size :]
        if opcode == PING:
            self._send(frame, PONG)
        return frame


class Audience:
    """All of them, and when they heard what."""

    def __init__(self, host: str, port: int, path: str, token: str) -> None:
        self.host, self.port, self.path, self.token = host, port, path, token
        self.over = asyncio.Event()
        self._count = 0
        self._mark = b"-"
        self._times: list[float] = []
        self._filled = asyncio.Event()

    def heard(self, frame: bytes, now: float) -> None:
        """Note a message that holds the present mark; before there is one, any that is an item."""
        if self._mark in frame:
            self._times.append(now)
            if len(self._times) == self._count:
                self._filled.set()

    async def gather(self, count: int) -> None:
        """Connect, a few at a time."""
        loop = asyncio.get_running_loop()
        self._count, self._mark = count, b'"next"'
        for _ in range(count):
            await loop.create_connection(lambda: Subscriber(self), self.host, self.port)
        await self._filled.wait()
        print("ready", flush=True)

    async def listen(self, marks: int) -> None:
        """Hear the marks one after the other."""
        for number in range(marks):
            self._times, self._mark = [], mark_of(number).encode()
            self._filled.clear()
            await self._filled.wait()
            print(json.dumps(self._times), flush=True)
        self.over.set()


async def main(host: str, port: int, path: str, token: str, count: int, marks: int) -> None:
    """See the module."""
    audience = Audience(host, port, path, token)
    await audience.gather(count)
    await audience.listen(marks)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6])))
