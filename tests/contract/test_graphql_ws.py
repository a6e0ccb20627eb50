"""The graphql-transport-ws protocol on a real socket: opening, closing, operations and limits."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from api.transport.websocket import Bounds
from tests.support.graphql_server import Server, serving
from tests.support.graphql_socket import TICKS, client, raw

BOUNDS = Bounds(frame_bytes=200_000, subscriptions=3, init_seconds=1.0, patience_seconds=0.2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, BOUNDS) as started:
        yield started


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
