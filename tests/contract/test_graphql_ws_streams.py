"""Subscriptions over WebSocket: events, resumption, shared executions, slow readers and revoked tokens."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.transport.websocket import Bounds
from tests.support.graphql_server import Server, serving
from tests.support.graphql_socket import TICKS, client
from tests.support.waiting import wait_until

BOUNDS = Bounds(frame_bytes=200_000, subscriptions=3, init_seconds=1.0, patience_seconds=0.2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, BOUNDS) as started:
        yield started


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
