"""The browser's way in: a link that works once, a form, a cookie, and the start page."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from adapters.logins import make_login
from tests.support.graphql_server import Server, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as started:
        yield started


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def link(server: Server) -> str:
    actor, _ = server.world.tokens().verify(server.token)
    return make_login(server.data, actor, server.url, datetime.now(UTC))


def test_a_link_logs_in_once_and_leads_to_the_start_page(server: Server, browser: httpx.Client) -> None:
    opened = link(server)
    assert server.token not in opened
    assert browser.get("/").headers["location"] == "/login"
    assert browser.head(opened).status_code == 200
    answer = browser.get(opened)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    page = browser.get("/")
    assert page.status_code == 200
    assert "graphiql" in page.text
    assert browser.post("/graphql", json={"query": "{ viewer }"}).json() == {"data": {"viewer": "Ada"}}
    assert httpx.get(opened).status_code == 403


def test_a_pasted_token_logs_in_from_our_own_page_only(server: Server, browser: httpx.Client) -> None:
    ours = {"Origin": server.url}
    assert browser.post("/login", data={"token": server.token}).status_code == 403
    assert browser.post("/login", data={"token": "wrong"}, headers=ours).status_code == 401
    assert browser.post("/login", data={"token": server.token}, headers=ours).status_code == 303
    assert browser.get("/").status_code == 200


def test_logging_out_takes_the_cookie_away(server: Server, browser: httpx.Client) -> None:
    browser.get(link(server))
    assert browser.post("/logout").status_code == 403
    assert browser.post("/logout", headers={"Origin": server.url}).headers["location"] == "/login"
    assert browser.get("/").status_code == 303


def test_assets_are_compressed_and_kept_for_ever_and_nothing_else_is_served(browser: httpx.Client) -> None:
    answer = browser.get("/")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/nothing").status_code == 404
    assert browser.get("/../app.py").status_code == 404
    assert browser.get("/%2e%2e/app.py").status_code == 404


def test_a_script_comes_with_its_type(server: Server, browser: httpx.Client) -> None:
    browser.get(link(server))
    script = browser.get("/").text.partition('src="./')[2].partition('"')[0]
    answer = browser.get(f"/{script}")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
