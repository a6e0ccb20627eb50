"""The README's tour, run as it stands: its queries in order, its console lines in a shell's place.

As a program (`python -m tests.support.tour URL TOKEN_FILE`) it runs the tour against a Lucity that is up.
"""

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

README = Path(__file__).parent.parent.parent / "README.md"
DEADLINE_SECONDS = 60.0
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


def queries() -> list[str]:
    """Every GraphQL block of the tour, in order."""
    tour = README.read_text().partition("## The tour")[2].partition("\n## ")[0]
    found = re.findall(r"```graphql\n(.*?)```", tour, re.DOTALL)
    assert len(found) >= 6, "the tour has lost its queries"
    return found


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
def subscribed(url: str, token: str, query: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Subscribe over graphql-transport-ws; the items as they come."""
    address = f"{url.replace('http', 'ws', 1)}/graphql"
    with connect(address, subprotocols=["graphql-transport-ws"], max_size=None) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}))
        assert json.loads(socket.recv(DEADLINE_SECONDS))["type"] == "connection_ack"
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        yield _items(lambda: json.loads(socket.recv(DEADLINE_SECONDS)))


def _items(receive: Any) -> Iterator[dict[str, Any]]:
    while (message := receive())["type"] == "next":
        assert "errors" not in message["payload"], message
        yield message["payload"]["data"]
    assert message["type"] == "complete", message


if __name__ == "__main__":
    run_tour(sys.argv[1], Path(sys.argv[2]).read_text().strip())
