"""GraphiQL in a real browser against the real `lucity up`: its examples run in order, nothing leaves the machine."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Page, browser, find_browser
from tests.support.up import Up, running

RUN = ".graphiql-execute-button"
# Monaco keeps its lines in no particular order and places them by their style.
ANSWER = """[...document.querySelectorAll('.graphiql-response .view-line')]
    .sort((one, other) => parseInt(one.style.top) - parseInt(other.style.top))
    .map((line) => line.textContent).join('').replace(/\\s/g, '')"""
VARIABLES = ".graphiql-editor-tool .monaco-editor"
TABS = ["CreateProject", "AddService", "Deploy", "Watch", "Plan", "Promote", "History", "Rollback", "Hold", "Revert"]
TABS += ["LookBack"]


@pytest.fixture
def program() -> str:
    found = find_browser()
    if found is None and os.environ.get("CI"):
        pytest.fail("there is no Chromium, and CI has to have one: .ci/run installs it")
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with running(tmp_path / "data") as started:
        yield started


@pytest.fixture
def page(up: Up, program: str, tmp_path: Path) -> Iterator[Page]:
    with browser(program, tmp_path / "profile") as opened:
        opened.open(up.login)
        opened.wait(f"document.querySelectorAll('.graphiql-tab').length === {len(TABS)}")
        yield opened


def run(page: Page, tab: str, expected: str, variables: dict[str, str] | None = None) -> str:
    """Choose a tab, run what stands in it (with these variables), and wait for the expected part of the answer."""
    page.click(f".graphiql-tab:nth-child({TABS.index(tab) + 1}) .graphiql-tab-button")
    page.wait(f"document.querySelector('.graphiql-tab-active').innerText.includes('{tab}')")
    page.wait(f"document.querySelector('.graphiql-query-editor').innerText.includes('{tab}')")
    page.wait("!!document.querySelector('.graphiql-response .view-lines')")
    if variables is not None:
        page.wait(f"!!document.querySelector('{VARIABLES}')")
        page.write(f"{VARIABLES} .native-edit-context, {VARIABLES} textarea", json.dumps(variables))
    page.click(RUN)
    return shown(page, expected)


def shown(page: Page, expected: str) -> str:
    """Wait until the answer shows a text, and answer all it shows, without blanks: Monaco wraps lines."""
    page.wait(f"{ANSWER}.includes({json.dumps(''.join(expected.split()))})")
    return str(page.evaluate(ANSWER))


def landed(up: Up, subject: str) -> None:
    """Wait until a commit with this subject is the newest one."""

    def newest() -> bool:
        project = up.graphql('{ project(name: "shop") { head { subject } } }')["project"]
        return project is not None and project["head"] is not None and project["head"]["subject"] == subject

    up.wait(subject, newest)


def test_the_examples_run_in_order_and_the_stream_follows(up: Up, page: Page) -> None:
    assert "QUEUED" in run(page, "CreateProject", '"__typename": "Job"')
    run(page, "AddService", "config(base): add service api")
    run(page, "Deploy", "deploy(development): api a1b2c3d")
    landed(up, "deploy(development): api a1b2c3d")
    run(page, "Watch", '"subject": "deploy(development): api a1b2c3d"')
    answer = up.graphql(
        """mutation { deploy(input: {project: "shop", environment: "development",
           services: [{service: "api", tag: "b2c3d4e"}]}) { __typename } }"""
    )
    assert answer == {"deploy": {"__typename": "Job"}}
    shown(page, '"subject": "deploy(development): api b2c3d4e"')
    page.click(RUN)
    plan = run(page, "Plan", '"subject": "promote(staging): api b2c3d4e from development"')
    token = plan.partition('"token":"')[2].partition('"')[0]
    run(page, "Promote", "promote(staging):", {"planToken": token})
    landed(up, "promote(staging): api b2c3d4e from development")
    history = run(page, "History", "promote(staging): api b2c3d4e from development")
    assert "project(create):shop" in history
    assert "VALID" in history
    undo(up, page, first=commits(up)["deploy(development): api a1b2c3d"])


def undo(up: Up, page: Page, first: str) -> None:
    """The tabs after the history: back to the first version, a hold, its revert, and a look at all of it."""
    run(page, "Rollback", "rollback(development): api", {"to": first})
    landed(up, "rollback(development): api a1b2c3d")
    run(page, "Hold", "hold(staging): api")
    landed(up, "hold(staging): api")
    hold = commits(up)["hold(staging): api"]
    run(page, "Revert", "revert(staging):", {"commit": hold})
    landed(up, f"revert(staging): {hold[:7]} hold(staging): api")
    assert '"before":"b2c3d4e","after":"a1b2c3d"' in run(page, "LookBack", "rollback(development): api a1b2c3d")


def commits(up: Up) -> dict[str, str]:
    """Subject → SHA."""
    project = up.graphql('{ project(name: "shop") { commits { nodes { sha subject } } } }')["project"]
    return {commit["subject"]: commit["sha"] for commit in project["commits"]["nodes"]}


def test_no_request_leaves_the_machine(up: Up, page: Page) -> None:
    run(page, "CreateProject", '"__typename": "Job"')
    landed(up, "project(create): shop")
    run(page, "Watch", '"kind"')
    hosts = {urlsplit(address).netloc for address in page.addresses if not address.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(up.url).netloc}
    assert any(address.startswith("ws://") for address in page.addresses)
    assert any("worker" in address for address in page.addresses)
