"""Subscriptions to a running Lucity, over WebSocket and as server-sent events, item by item."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, Self

import httpx
from websockets.sync.client import connect

WAIT_SECONDS = 60.0


class Place(Protocol):
    """Where to subscribe, and as whom."""

    @property
    def url(self) -> str:
        """http://HOST:PORT, without a slash at the end."""
        ...

    @property
    def token(self) -> str:
        """A token."""
        ...


class Stream:
    """The items of one subscription, without the name of its field; `error` is the code of what ended it, `message` the
    words.
    """

    def __init__(self, payloads: Iterator[dict[str, Any]]) -> None:
        self.error = ""
        self.message = ""
        self._payloads = payloads

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        payload = next(self._payloads)
        if payload.get("errors"):
            self.error = payload["errors"][0].get("extensions", {}).get("code", "UNKNOWN")
            self.message = payload["errors"][0]["message"]
            raise StopIteration
        (item,) = payload["data"].values()
        taken: dict[str, Any] = item
        return taken


Subscribe = Callable[[Place, str], AbstractContextManager[Stream]]


@contextmanager
def over_websocket(place: Place, query: str, frames: int | None = None) -> Iterator[Stream]:
    """Subscribe by graphql-transport-ws; leaving the block cuts the line. Only so many `frames` are read ahead."""
    address = f"{place.url.replace('http', 'ws', 1)}/graphql"
    protocols: Any = ["graphql-transport-ws"]
    # As a rule without a bound: a full queue would keep the end of the connection from being read.
    with connect(address, subprotocols=protocols, max_size=None, max_queue=frames) as socket:

        def receive() -> dict[str, Any]:
            message: dict[str, Any] = json.loads(socket.recv(WAIT_SECONDS))
            return message

        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {place.token}"}}))
        assert receive()["type"] == "connection_ack"
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        yield Stream(_messages(receive))


@contextmanager
def over_sse(place: Place, query: str) -> Iterator[Stream]:
    """Subscribe by server-sent events; leaving the block cuts the line."""
    headers = {"Authorization": f"Bearer {place.token}", "Accept": "text/event-stream"}
    with (
        httpx.Client(timeout=WAIT_SECONDS) as client,
        client.stream("POST", f"{place.url}/graphql", json={"query": query}, headers=headers) as answer,
    ):
        assert answer.status_code == httpx.codes.OK, answer.read()
        yield Stream(_events(answer.iter_lines()))


def _messages(receive: Callable[[], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    while (message := receive())["type"] != "complete":
        if message["type"] == "error":
            yield {"errors": message["payload"]}
            return
        assert message["type"] == "next", message
        yield message["payload"]


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data:") and name == "next":
            yield json.loads(line.removeprefix("data:"))
        elif name == "complete":
            return
