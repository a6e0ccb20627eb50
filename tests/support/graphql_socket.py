"""A client of the graphql-transport-ws protocol."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.graphql_server import Server

PROTOCOL = Subprotocol("graphql-transport-ws")
TICKS = 'subscription ($after: String) { ticks(project: "shop", after: $after) { cursor gap text } }'


class Client:
    """One connection, speaking in JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def subscribe(self, operation_id: str, query: str, **variables: Any) -> None:
        self.send(id=operation_id, type="subscribe", payload={"query": query, "variables": variables})

    def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.connection.recv(30))
        return message

    def closed(self) -> int:
        """Read on until the server closes; the code."""
        with pytest.raises(ConnectionClosed) as closed:
            self._read_on()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code

    def _read_on(self) -> None:
        while True:
            self.connection.recv(30)


@contextmanager
def raw(
    server: Server, headers: dict[str, str] | None = None, protocol: Subprotocol | None = PROTOCOL
) -> Iterator[Client]:
    """Connect without connection_init."""
    subprotocols = [protocol] if protocol else None
    with connect(
        server.socket_url, subprotocols=subprotocols, additional_headers=headers, compression=None, max_size=None
    ) as connection:
        yield Client(connection)


@contextmanager
def client(server: Server) -> Iterator[Client]:
    """Connect and be acknowledged."""
    with raw(server) as opened:
        opened.send(type="connection_init", payload={"Authorization": f"Bearer {server.token}"})
        assert opened.receive() == {"type": "connection_ack"}
        yield opened
