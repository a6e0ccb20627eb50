"""The README's tour, run as it stands: its queries in order, its console lines in a shell's place.

As a program (`python -m tests.support.tour URL TOKEN_FILE`) it runs the tour against a Lucity that is up; with
`README_TEXT=TEXT…` behind, the builds instead, where these places are elsewhere than the README has them.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

README = Path(__file__).parent.parent.parent / "README.md"
DEADLINE_SECONDS = 60.0
BUILDS = "From source to a running version"
SUBJECTS = [
    "hold(staging): api",
    "rollback(development): api a1b2c3d",
    "deploy(development): api b2c3d4e",
    "promote(staging): api a1b2c3d from development",
    "deploy(development): api a1b2c3d",
    "config(base): add service api",
    "project(create): myapp",
]
"""What the tour's history says below its newest commit, the revert of the hold."""


def section(title: str) -> str:
    """A section of the README."""
    return README.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def queries(title: str = "The tour") -> list[str]:
    """Every GraphQL block of a section, in order."""
    found = re.findall(r"```graphql\n(.*?)```", section(title), re.DOTALL)
    assert len(found) >= 5, f"{title} has lost its queries"
    return found


def console(title: str) -> list[str]:
    """Every console line of a section, in order, but for what is printed."""
    return re.findall(r"^\$ (.*)$", section(title), re.MULTILINE)


def run_tour(url: str, token: str) -> dict[str, Any]:
    """Run it all, waiting for each job; the answer to the last query, the history."""
    answer: dict[str, Any] = {}
    for query in queries():
        if query.startswith("subscription"):
            assert first_item(url, token, query)["projectEvents"]["kind"] == "SNAPSHOT"
            continue
        answer = ask(url, token, query, variables(url, token, query, answer))
        for name, result in answer.items() if query.startswith("mutation") else ():
            assert "id" in result, f"{name}: {result}"
            wait_for_job(url, token, result["id"])
    return answer


def run_builds(url: str, token: str, places: Mapping[str, str]) -> tuple[list[str], dict[str, Any]]:
    """Run the section on builds, with texts of the README replaced; the lines of the log, and the service at last."""
    lines, job, answer = list[str](), "", dict[str, Any]()
    for block in queries(BUILDS):
        query = replaced(block, places)
        if query.startswith("subscription"):
            with subscribed(url, token, query, {"job": job}) as items:
                lines = [item["jobLog"]["line"]["text"] for item in items]
            wait_for_job(url, token, job)
            continue
        answer = ask(url, token, query)
        for name, result in answer.items() if query.startswith("mutation") else ():
            assert "id" in result, f"{name}: {result}"
            job = result["id"]
            if name != "build":
                wait_for_job(url, token, job)
    service: dict[str, Any] = _until_deployed(lambda: ask(url, token, query), answer)["environment"]["service"]
    return lines, service


def replaced(text: str, places: Mapping[str, str]) -> str:
    """A text of the README with other places in it."""
    for given, actual in places.items():
        text = text.replace(given, actual)
    return text


def _until_deployed(again: Callable[[], dict[str, Any]], answer: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while answer["environment"]["service"]["image"] is None:
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for the deployment: {answer}"
        time.sleep(0.1)
        answer = again()
    return answer


def variables(url: str, token: str, query: str, before: dict[str, Any]) -> dict[str, str]:
    """What a query asks for: the token of the plan before it, the commit of the first version, the newest commit."""
    if "$planToken" in query:
        return {"planToken": before["promotionPlan"]["token"]}
    if "$good" not in query and "$last" not in query:
        return {}
    log = ask(url, token, '{ project(name: "myapp") { commits { nodes { sha subject } } } }')["project"]["commits"][
        "nodes"
    ]
    good = next(commit["sha"] for commit in log if commit["subject"] == "deploy(development): api a1b2c3d")
    return {"good": good} if "$good" in query else {"last": log[0]["sha"]}


def ask(url: str, token: str, query: str, given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Answer the data of one request."""
    headers, content = {"Authorization": f"Bearer {token}"}, {"query": query, "variables": dict(given or {})}
    body = httpx.post(f"{url}/graphql", json=content, headers=headers, timeout=30).json()
    assert "errors" not in body, body
    data: dict[str, Any] = body["data"]
    return data


def wait_for_job(url: str, token: str, job_id: str) -> None:
    """Wait until a job has ended well."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        job = ask(url, token, f'{{ job(id: "{job_id}") {{ state error {{ message }} }} }}')["job"]
        if job["state"] == "SUCCEEDED":
            return
        assert job["state"] in {"QUEUED", "RUNNING", "WAITING"}, job
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for {job_id}: {job}"
        time.sleep(0.1)


def first_item(url: str, token: str, query: str) -> dict[str, Any]:
    """Answer the first item of a subscription."""
    with subscribed(url, token, query) as items:
        return next(items)


@contextmanager
def subscribed(
    url: str, token: str, query: str, given: Mapping[str, str] | None = None
) -> Iterator[Iterator[dict[str, Any]]]:
    """Subscribe over graphql-transport-ws; the items as they come."""
    address, payload = f"{url.replace('http', 'ws', 1)}/graphql", {"query": query, "variables": dict(given or {})}
    with connect(address, subprotocols=["graphql-transport-ws"], max_size=None) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
        assert json.loads(socket.recv(DEADLINE_SECONDS))["type"] == "connection_ack"
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        yield _items(lambda: json.loads(socket.recv(DEADLINE_SECONDS)))


def _items(receive: Any) -> Iterator[dict[str, Any]]:
    while (message := receive())["type"] == "next":
        assert "errors" not in message["payload"], message
        yield message["payload"]["data"]
    assert message["type"] == "complete", message


if __name__ == "__main__":
    where, secret, elsewhere = sys.argv[1], Path(sys.argv[2]).read_text().strip(), sys.argv[3:]
    if elsewhere:
        run_builds(where, secret, dict(one.split("=", 1) for one in elsewhere))
    else:
        run_tour(where, secret)
