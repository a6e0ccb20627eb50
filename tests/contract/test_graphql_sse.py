"""Subscriptions as server-sent events, distinct connections mode of the graphql-sse protocol."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.graphql_server import Server, serving
from tests.support.waiting import wait_until

TICKS = 'subscription ($after: String) { ticks(project: "shop", after: $after) { cursor gap text } }'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as started:
        yield started


@contextmanager
def stream(server: Server, query: str, variables: dict[str, Any] | None = None) -> Iterator[Iterator[tuple[str, Any]]]:
    """Subscribe; (event, data) as they come."""
    headers = server.headers | {"Accept": "text/event-stream"}
    content = {"query": query, "variables": variables}
    with (
        httpx.Client(timeout=30) as client,
        client.stream("POST", f"{server.url}/graphql", json=content, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            yield name, json.loads(data) if data else None


def test_a_subscription_is_next_for_each_item_and_complete_at_the_end(server: Server) -> None:
    with stream(server, "subscription { three }") as items:
        expected = [("next", {"data": {"three": number}}) for number in range(3)]
        assert list(items) == [*expected, ("complete", None)]


def test_a_query_is_one_item(server: Server) -> None:
    with stream(server, "{ hello }") as items:
        assert list(items) == [("next", {"data": {"hello": "Hello world"}}), ("complete", None)]


def test_a_wrong_document_is_told_on_the_stream(server: Server) -> None:
    with stream(server, "subscription { nothing }") as items:
        (_, answer), last = items
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert last == ("complete", None)


def test_a_source_that_fails_ends_with_a_masked_error(server: Server) -> None:
    with stream(server, "subscription { broken }") as items:
        first, (_, answer), last = items
    assert first == ("next", {"data": {"broken": 1}})
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in json.dumps(answer)
    assert last == ("complete", None)


def test_an_event_source_gets_it_by_get(server: Server) -> None:
    headers = server.headers | {"Accept": "text/event-stream"}
    parameters = {"query": "subscription { three }"}
    answer = httpx.get(f"{server.url}/graphql", params=parameters, headers=headers)
    assert answer.text.count("event: next") == 3


def test_a_client_that_leaves_ends_its_generators(server: Server) -> None:
    with stream(server, TICKS) as items:
        next(items)
        assert server.hub.listeners == 2
    wait_until(lambda: server.counts.get("closed") == 1, "the subscription's generator to be closed")
    wait_until(lambda: server.hub.listeners == 1, "the hub to forget the listener")


def test_a_stream_resumes_exactly_after_its_cursor(server: Server) -> None:
    with stream(server, TICKS) as items:
        next(items)
        server.log.emit(text="one")
        _, item = next(items)
    for text in ("two", "three", "four", "five"):
        server.log.emit(text=text)
    with stream(server, TICKS, {"after": item["data"]["ticks"]["cursor"]}) as items:
        next(items)
        assert [next(items)[1]["data"]["ticks"]["text"] for _ in range(4)] == ["two", "three", "four", "five"]


def test_a_malformed_cursor_is_an_error(server: Server) -> None:
    with stream(server, TICKS, {"after": "nonsense"}) as items:
        (_, answer), _ = items
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_revoked_token_ends_its_stream(server: Server) -> None:
    with stream(server, TICKS) as items:
        next(items)
        tokens = server.world.tokens()
        actor, _ = tokens.verify(server.token)
        tokens.revoke(actor, server.token_id)
        (_, answer), last = items
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert last == ("complete", None)
    answer = httpx.post(f"{server.url}/graphql", json={"query": "{ hello }"}, headers=server.headers)
    assert answer.status_code == 401
