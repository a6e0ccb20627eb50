"""The graphql-transport-ws protocol on a real socket: opening, closing, streams, limits and slow readers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from api.transport.websocket import Bounds
from tests.support.graphql_server import Server, serving
from tests.support.waiting import wait_until

PROTOCOL = Subprotocol("graphql-transport-ws")
TICKS = 'subscription ($after: String) { ticks(project: "shop", after: $after) { cursor gap text } }'
BOUNDS = Bounds(frame_bytes=200_000, subscriptions=3, init_seconds=1.0, patience_seconds=0.2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, BOUNDS) as started:
        yield started


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


@pytest.mark.parametrize("protocol", [None, Subprotocol("graphql-ws")])
def test_other_subprotocols_are_refused(server: Server, protocol: Subprotocol | None) -> None:
    if protocol is None:
        with raw(server, protocol=None) as opened:
            assert opened.closed() == 4406
        return
    with raw(server, protocol=protocol) as opened:
        assert opened.closed() == 4406


def test_a_silent_client_is_closed(server: Server) -> None:
    with raw(server) as opened:
        assert opened.closed() == 4408


@pytest.mark.parametrize("payload", [None, {}, {"token": "nonsense"}, {"Authorization": "Bearer x"}, {"token": 1}, "x"])
def test_without_a_valid_token_the_socket_is_closed_4401(server: Server, payload: object) -> None:
    with raw(server) as opened:
        opened.send(type="connection_init", payload=payload)
        assert opened.closed() == 4401


def test_operations_before_the_acknowledgement_are_unauthorized(server: Server) -> None:
    with raw(server) as opened:
        opened.subscribe("1", "{ hello }")
        assert opened.closed() == 4401


def test_a_token_may_come_in_a_header_or_as_token(server: Server) -> None:
    with raw(server, server.headers) as opened:
        opened.send(type="connection_init")
        assert opened.receive() == {"type": "connection_ack"}
    with raw(server) as opened:
        opened.send(type="connection_init", payload={"token": server.token})
        assert opened.receive() == {"type": "connection_ack"}


def test_a_cookie_counts_from_our_own_pages_only(server: Server) -> None:
    cookie = f"lucity_session={server.token}"
    with raw(server, {"Cookie": cookie, "Origin": server.url}) as opened:
        opened.send(type="connection_init")
        assert opened.receive() == {"type": "connection_ack"}
    with raw(server, {"Cookie": cookie}) as opened:
        opened.send(type="connection_init")
        assert opened.closed() == 4403
    with pytest.raises(InvalidStatus) as refusal, raw(server, {"Origin": "http://evil.example"}):
        pass
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ('{"type":"fly"}', 4400),
        ('{"type":"start","id":"1"}', 4400),
        ('{"type":"subscribe"}', 4400),
        ('{"type":"subscribe","id":1}', 4400),
        ('{"type":"subscribe","id":""}', 4400),
        ('{"type":"connection_init"}', 4429),
        (b"\x00", 4400),
        ("[" * 100_000, 4400),
        (" " * 250_000, 1009),
    ],
)
def test_a_malformed_frame_closes_the_socket(server: Server, frame: str | bytes, code: int) -> None:
    with client(server) as opened:
        opened.connection.send(frame)
        assert opened.closed() == code


def test_a_ping_is_answered(server: Server) -> None:
    with client(server) as opened:
        opened.send(type="ping")
        assert opened.receive() == {"type": "pong"}


def test_queries_and_mutations_work_over_the_socket(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("q", "{ viewer }")
        assert opened.receive() == {"id": "q", "type": "next", "payload": {"data": {"viewer": "Ada"}}}
        assert opened.receive() == {"id": "q", "type": "complete"}
        opened.subscribe("q", "mutation { bump }")
        assert opened.receive()["payload"] == {"data": {"bump": 1}}


@pytest.mark.parametrize("query", ["{", "{ nothing }", "subscription { ticks }", "subscription ($a: Int!) { three }"])
def test_a_wrong_document_is_an_error_on_its_operation(server: Server, query: str) -> None:
    with client(server) as opened:
        opened.subscribe("1", query)
        answer = opened.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert answer["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        opened.subscribe("1", "{ hello }")
        assert opened.receive()["type"] == "next"


def test_a_source_that_fails_is_a_masked_error(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("1", "subscription { broken }")
        assert opened.receive()["type"] == "next"
        answer = opened.receive()
        assert answer["type"] == "error"
        assert answer["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "hunter2" not in json.dumps(answer)


def test_an_id_in_use_closes_the_socket_4409(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("1", TICKS)
        opened.subscribe("1", TICKS)
        assert opened.closed() == 4409


def test_one_subscription_too_many_is_an_error_that_names_the_limit(server: Server) -> None:
    with client(server) as opened:
        for number in range(4):
            opened.subscribe(str(number), TICKS)
        answers = {answer["id"]: answer for answer in (opened.receive() for _ in range(4))}
        assert answers["3"]["type"] == "error"
        assert answers["3"]["payload"][0]["extensions"] == {
            "code": "LIMIT_EXCEEDED",
            "limit": "subscriptions",
            "allowed": 3,
            "actual": 4,
        }
        opened.send(id="0", type="complete")
        opened.subscribe("5", TICKS)
        assert opened.receive()["type"] == "next"


def test_events_arrive_and_completing_ends_the_generator(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("1", TICKS)
        assert opened.receive()["payload"]["data"]["ticks"]["text"] == "present"
        server.log.emit(project="other", text="not ours")
        cursor = server.log.emit(text="ours")
        assert opened.receive()["payload"]["data"]["ticks"] == {"cursor": cursor, "gap": False, "text": "ours"}
        opened.send(id="1", type="complete")
        wait_until(lambda: server.counts.get("closed") == 1, "the generator to be closed")


def test_a_client_that_vanishes_leaves_nothing_behind(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("1", TICKS)
        opened.receive()
        opened.connection.socket.close()
    wait_until(lambda: server.counts.get("closed") == 1, "the generator to be closed")


def test_subscribers_of_the_same_share_one_execution_of_an_event(server: Server) -> None:
    query = 'subscription { ticks(project: "shop") { text heavy } }'
    with client(server) as one, client(server) as two:
        for opened in (one, two):
            for operation_id in ("a", "b"):
                opened.subscribe(operation_id, query)
                opened.receive()
        present = server.counts["heavy"]
        server.log.emit(text="x")
        answers = [opened.receive() for opened in (one, one, two, two)]
    assert {json.dumps(answer["payload"]) for answer in answers} == {
        json.dumps({"data": {"ticks": {"text": "x", "heavy": "Ada"}}})
    }
    assert server.counts["heavy"] == present + 1


def test_a_stream_cut_at_every_event_and_resumed_has_no_gap_and_no_double(server: Server) -> None:
    texts = [str(number) for number in range(12)]
    seen: list[str] = []
    after = server.log.position()
    for text in texts:
        server.log.emit(text=text)
    while len(seen) < len(texts):
        with client(server) as opened:
            opened.subscribe("1", TICKS, after=after)
            assert opened.receive()["payload"]["data"]["ticks"]["text"] == "present"
            tick = opened.receive()["payload"]["data"]["ticks"]
            seen.append(tick["text"])
            after = tick["cursor"]
    assert seen == texts


def test_a_lost_log_is_a_gap_once_and_the_stream_goes_on(server: Server) -> None:
    with client(server) as opened:
        server.log.emit(text="before")
        opened.subscribe("1", TICKS)
        old = opened.receive()["payload"]["data"]["ticks"]["cursor"]
        server.log.lose("e2")
        assert opened.receive()["payload"]["data"]["ticks"]["gap"]
        server.log.emit(text="after")
        assert opened.receive()["payload"]["data"]["ticks"] == {"cursor": "e2.1", "gap": False, "text": "after"}
        opened.subscribe("2", TICKS, after=old)
        assert opened.receive()["payload"]["data"]["ticks"]["text"] == "present"
        assert opened.receive()["payload"]["data"]["ticks"]["gap"]


def test_a_trimmed_cursor_is_a_gap(server: Server) -> None:
    for _ in range(5):
        server.log.emit()
    server.log.kept = 4
    with client(server) as opened:
        opened.subscribe("1", TICKS, after="e1.0")
        opened.receive()
        assert opened.receive()["payload"]["data"]["ticks"] == {"cursor": "e1.5", "gap": True, "text": "present"}


def test_a_slow_reader_is_told_its_cursor_and_keeps_its_socket(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("1", TICKS)
        opened.receive()
        for _ in range(400):
            server.log.emit(text="x" * 100_000)
        wait_until(lambda: server.counts.get("closed") == 1, "the slow subscription to end")
        cursor = None
        while (message := opened.receive())["type"] == "next":
            cursor = message["payload"]["data"]["ticks"]["cursor"]
        assert message["payload"][0]["extensions"] == {"code": "SLOW_SUBSCRIBER", "cursor": cursor}
        opened.subscribe("2", TICKS, after=cursor)
        opened.receive()
        following = opened.receive()["payload"]["data"]["ticks"]["cursor"]
        assert int(following.partition(".")[2]) == int(str(cursor).partition(".")[2]) + 1


def test_a_revoked_token_ends_streams_and_the_socket(server: Server) -> None:
    with client(server) as opened:
        opened.subscribe("1", TICKS)
        opened.receive()
        tokens = server.world.tokens()
        actor, _ = tokens.verify(server.token)
        tokens.revoke(actor, server.token_id)
        answer = opened.receive()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert answer["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert opened.closed() == 4401
