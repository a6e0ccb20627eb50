"""POST and GET on /graphql as clients of any kind meet them, over a real socket."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gitops.changes import ActorKind
from tests.support.graphql_server import Server, serving

GRAPHQL = "application/graphql-response+json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as started:
        yield started


def ask(server: Server, content: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}/graphql", json=content, headers=server.headers | headers)


def only_error(answer: httpx.Response) -> dict[str, Any]:
    content = answer.json()
    assert len(content["errors"]) == 1, content
    error: dict[str, Any] = content["errors"][0]
    return error


def code_of(answer: httpx.Response) -> str:
    return str(only_error(answer)["extensions"]["code"])


def test_a_query_is_answered_by_post_and_by_get(server: Server) -> None:
    expected = {"data": {"hello": "Hello Ada"}}
    query = "query ($n: String!) { hello(name: $n) }"
    assert ask(server, {"query": query, "variables": {"n": "Ada"}}).json() == expected
    parameters = {"query": query, "variables": json.dumps({"n": "Ada"})}
    assert httpx.get(f"{server.url}/graphql", params=parameters, headers=server.headers).json() == expected


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, application/json;q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.5, application/json", "application/json"),
        (f"{GRAPHQL}, application/json, text/event-stream, multipart/mixed", GRAPHQL),
    ],
)
def test_the_answer_has_the_type_that_the_client_prefers(server: Server, accept: str, media: str) -> None:
    answer = ask(server, {"query": "{ hello }"}, Accept=accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"


def test_a_type_that_we_do_not_speak_is_406(server: Server) -> None:
    assert ask(server, {"query": "{ hello }"}, Accept="text/html").status_code == 406


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query ($v: Int!) { number(value: $v) }", "{ a } { b }", ""])
def test_a_wrong_document_is_400_in_graphql_json_and_200_in_plain_json(server: Server, query: str) -> None:
    strict, plain = ask(server, {"query": query}, Accept=GRAPHQL), ask(server, {"query": query})
    assert (strict.status_code, plain.status_code) == (400, 200)
    assert "data" not in strict.json()
    assert code_of(strict) == code_of(plain) == "BAD_USER_INPUT"


def test_a_syntax_error_keeps_its_words_and_place(server: Server) -> None:
    error = only_error(ask(server, {"query": "{ hello("}))
    assert error["message"].startswith("Syntax Error")
    assert error["locations"] == [{"line": 1, "column": 9}]


@pytest.mark.parametrize(
    "content",
    [
        [{"query": "{ hello }"}],
        {},
        {"query": 1},
        {"query": {"a": 1}},
        {"query": "{ hello }", "variables": "x"},
        {"query": "{ hello }", "operationName": 1},
        {"query": "{ hello }", "extensions": 1},
        "text",
    ],
)
def test_what_is_no_request_is_400(server: Server, content: object) -> None:
    answer = ask(server, content)
    assert answer.status_code == 400
    assert code_of(answer) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"query": NaN}', b'{"query": "\\ud800"}', b'{"a":' + b"1" * 5000]
)
def test_a_body_that_is_not_json_is_400(server: Server, body: bytes) -> None:
    headers = server.headers | {"Content-Type": "application/json"}
    assert httpx.post(f"{server.url}/graphql", content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/json; charset=latin-1",
    ],
)
def test_forms_of_other_pages_are_no_json(server: Server, kind: str) -> None:
    headers = server.headers | ({"Content-Type": kind} if kind else {})
    answer = httpx.post(f"{server.url}/graphql", content=b'{"query":"{ hello }"}', headers=headers)
    assert answer.status_code == 415


def test_mutations_are_refused_by_get_and_change_nothing(server: Server) -> None:
    answer = httpx.get(f"{server.url}/graphql", params={"query": "mutation { bump }"}, headers=server.headers)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "bump" not in server.counts


def test_other_methods_are_405(server: Server) -> None:
    assert httpx.put(f"{server.url}/graphql", headers=server.headers).status_code == 405


def test_a_subscription_by_plain_post_says_how_to_subscribe(server: Server) -> None:
    error = only_error(ask(server, {"query": "subscription { three }"}))
    assert "text/event-stream" in error["message"]


@pytest.mark.parametrize("token", [None, "Bearer nonsense", "Basic eDp5", "Bearer"])
def test_without_a_valid_token_it_is_401_with_a_challenge(server: Server, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}
    answer = httpx.post(f"{server.url}/graphql", json={"query": "{ hello }"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert code_of(answer) == "UNAUTHENTICATED"


def test_a_token_that_expired_is_401(server: Server) -> None:
    tokens = server.world.tokens()
    _, secret = tokens.issue(None, "ci", "ci@example.org", ActorKind.AUTOMATION, 60)
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.post(f"{server.url}/graphql", json={"query": "{ viewer }"}, headers=headers).json() == {
        "data": {"viewer": "ci"}
    }
    server.world.clock.now += timedelta(seconds=61)
    assert httpx.post(f"{server.url}/graphql", json={"query": "{ viewer }"}, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("missing", "NOT_FOUND", "no such thing"),
        ("forbidden", "FORBIDDEN", "not you"),
        ("input", "BAD_USER_INPUT", "malformed"),
        ("conflict", "BAD_USER_INPUT", "moved"),
        ("away", "UNAVAILABLE", "redis does not answer now; try again"),
    ],
)
def test_what_is_known_of_failures_has_its_code(server: Server, how: str, code: str, message: str) -> None:
    answer = ask(server, {"query": "query ($h: String!) { fails(how: $h) }", "variables": {"h": how}})
    assert (code_of(answer), only_error(answer)["message"]) == (code, message)
    assert only_error(answer)["path"] == ["fails"]
    assert answer.json()["data"] == {"fails": None}


def test_the_unexpected_is_masked_and_found_in_the_log_by_its_id(server: Server) -> None:
    with capture_logs() as logs:
        answer = ask(server, {"query": '{ fails(how: "bug") }'})
    error = only_error(answer)
    error_id = error["extensions"]["id"]
    assert error["message"] == f"Internal error {error_id}"
    assert error["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in answer.text
    (entry,) = [log for log in logs if log.get("error_id") == error_id]
    assert isinstance(entry["exc_info"], RuntimeError)


def test_a_limit_is_named_in_the_answer(server: Server) -> None:
    query = "{ " + " ".join(f"a{number}: hello" for number in range(51)) + " }"
    extensions = only_error(ask(server, {"query": query}))["extensions"]
    assert extensions == {"code": "LIMIT_EXCEEDED", "limit": "aliases", "allowed": 50, "actual": 51}


def test_a_body_over_its_limit_is_refused_before_it_is_read(server: Server) -> None:
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 10485760\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_of_unknown_length_is_refused_once_it_is_too_long(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    headers = server.headers | {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/graphql", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert code_of(answer) == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
    ],
)
def test_only_our_own_names_and_origins_may_ask(server: Server, headers: dict[str, str], status: int) -> None:
    assert ask(server, {"query": "{ hello }"}, **headers).status_code == status


def test_our_own_page_may_ask_with_its_cookie_on_the_port_that_it_came_from(server: Server) -> None:
    headers = {"Cookie": f"lucity_session={server.token}", "Origin": server.url}
    assert httpx.post(f"{server.url}/graphql", json={"query": "{ viewer }"}, headers=headers).json() == {
        "data": {"viewer": "Ada"}
    }


def test_a_request_keeps_its_id_when_it_is_one(server: Server) -> None:
    assert ask(server, {"query": "{ hello }"}, **{"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert ask(server, {"query": "{ hello }"}, **{"X-Request-Id": "a b<c>"}).headers["x-request-id"] != "a b<c>"


def test_pages_and_probes_answer(server: Server, tmp_path: Path) -> None:
    assert httpx.get(f"{server.url}/healthz").text == "ok\n"
    assert httpx.get(f"{server.url}/readyz").json()["components"][0]["name"] == "git"
    (server.data / "down").touch()
    assert httpx.get(f"{server.url}/readyz").status_code == 503
    assert httpx.get(f"{server.url}/readyz?exclude=worker").status_code == 503
    assert httpx.get(f"{server.url}/readyz?exclude=worker&exclude=git").status_code == 200
    (server.data / "down").unlink()
    metrics = httpx.get(f"{server.url}/metrics").text
    assert 'lucity_requests_total{method="GET",route="/healthz",status="200"} 1.0' in metrics
    assert "lucity_subscribers" in metrics
    assert tmp_path.exists()
