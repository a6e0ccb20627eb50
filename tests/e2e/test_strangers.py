"""A stranger with a token, and one without: what can be read, what is refused, and what it costs."""

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.blackbox import body_of, codes_of, data_of, found
from tests.support.git import install_hook
from tests.support.product import Product, product
from tests.support.streams import over_websocket

MIB = 1024 * 1024
JOB = "job(id: $id) { state serviceNames log { nodes { stream text } } }"
ROLLOUTS = """query ($sha: String!) { project(name: "gone") { commit(revision: $sha) {
  rollouts { environmentName rollout { phase final } } } } }"""
BROKEN_NAMES = ["../x", "Shop", "a--b", "shop\n", "ｓhop", "shop\0", "x" * 31, "%2e%2e"]  # noqa: RUF001 - look-alikes


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("strangers") / "data") as started:
        found(started, "shop", "development", "staging", services=("api", "web"))
        started.asks.succeeded(started.asks.deploy("shop", "api", "v1"))
        yield started


@pytest.mark.parametrize(
    "query",
    [
        '{ found: project(name: "settings") { id } }',
        '{ found: environment(project: "settings", name: "development") { id } }',
        '{ found: node(id: "UHJvamVjdDpzZXR0aW5ncw") { id } }',
    ],
)
def test_the_repository_of_the_tokens_is_no_project(lucity: Product, query: str) -> None:
    assert data_of(lucity, query)["found"] is None
    with over_websocket(lucity.up, 'subscription { projectEvents(project: "settings") { kind } }') as items:
        assert list(items) == []
        assert items.error == "NOT_FOUND"
    answer = httpx.get(
        f"{lucity.up.url}/git/gitops/settings.git/info/refs?service=git-upload-pack", auth=("me", lucity.up.token)
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "field",
    [
        "project(name: $text) { id }",
        'environment(project: $text, name: "development") { id }',
        "jobs(filter: {project: $text}) { nodes { id } }",
        "jobs(filter: {environment: $text}) { nodes { id } }",
        "jobs(filter: {service: $text}) { nodes { id } }",
        'project(name: "shop") { commits(filter: {service: $text}) { nodes { id } } }',
        'environment(project: "shop", name: "staging") { deployments(service: $text) { nodes { id } } }',
    ],
)
def test_an_unknown_name_finds_nothing_and_a_malformed_one_is_an_error(lucity: Product, field: str) -> None:
    query = f"query ($text: String!) {{ {field} }}"
    assert codes_of(body_of(lucity, query, text="unknown")) == []
    for name in BROKEN_NAMES:
        assert codes_of(body_of(lucity, query, text=name)) == ["BAD_USER_INPUT"], name


def test_the_jobs_of_a_project_are_never_those_of_another(lucity: Product) -> None:
    query = '{ project(name: "shop") { jobs(filter: {project: "other"}) { nodes { id } } } }'
    assert codes_of(body_of(lucity, query)) == ["BAD_USER_INPUT"]


def test_a_cell_of_the_matrix_is_null_where_nothing_is_deployed(lucity: Product) -> None:
    query = '{ project(name: "shop") { environments { name } matrix { service { name } cells { image { tag } } } } }'
    project = data_of(lucity, query)["project"]
    assert [one["name"] for one in project["environments"]] == ["development", "staging"]
    assert project["matrix"] == [
        {"service": {"name": "api"}, "cells": [{"image": {"tag": "v1"}}, None]},
        {"service": {"name": "web"}, "cells": [None, None]},
    ]


def test_the_commits_of_a_deleted_environment_have_a_final_rollout(lucity: Product) -> None:
    found(lucity, "gone", "development")
    asks = lucity.asks
    deployed = asks.deploy("gone", "api", "v1")
    made = asks.change("createEnvironment", project="gone", name="pr-1", ephemeral=True, **{"from": "development"})
    ended = asks.change("deleteEnvironment", project="gone", name="pr-1")
    shas = [job["commit"]["sha"] for job in asks.succeeded(deployed, made, ended)]
    rollouts = [data_of(lucity, ROLLOUTS, sha=sha)["project"]["commit"]["rollouts"] for sha in shas]
    assert {one["environmentName"]: one["rollout"]["final"] for one in rollouts[1]} == {"pr-1": True}
    assert rollouts[2] == [{"environmentName": "pr-1", "rollout": {"phase": "SYNCED", "final": True}}]
    query = 'subscription { rollout(project: "gone", environment: "pr-1", commit: "%s") { rollout { final } } }'
    for sha in shas[1:]:
        with over_websocket(lucity.up, query % sha) as items:
            assert list(items)[-1] == {"rollout": {"final": True}}


def test_a_job_says_in_its_log_what_became_of_it_and_names_the_services_that_it_moved(lucity: Product) -> None:
    given = {"project": "shop", "from": "development", "to": "staging"}
    promoted = lucity.asks.change("promote", **given)
    with over_websocket(lucity.up, f'subscription {{ jobLog(id: "{promoted}") {{ line {{ text }} }} }}') as items:
        streamed = [item["line"]["text"] for item in items]
    (job,) = lucity.asks.succeeded(promoted)
    told = data_of(lucity, f"query ($id: ID!) {{ {JOB} }}", id=promoted)["job"]
    assert streamed == [f"commit: {job['commit']['sha'][:7]}"]
    assert told["log"] == {"nodes": [{"stream": "step", "text": streamed[0]}]}
    assert told["serviceNames"] == ["api"]


def test_retries_at_once_are_one_job_and_a_job_that_has_not_ended_is_its_own_retry(lucity: Product) -> None:
    install_hook(lucity.repository("shop"), "pre-receive", "exit 1")
    refused = lucity.asks.deploy("shop", "web", "v1")
    lucity.asks.ended([refused])
    install_hook(lucity.repository("shop"), "pre-receive", "sleep 1")
    query = "mutation ($id: ID!) { retryJob(id: $id) { ... on Job { id retryOf { id } } } }"

    def retry(_: int) -> tuple[str, str]:
        again = data_of(lucity, query, id=refused)["retryJob"]
        return again["id"], again["retryOf"]["id"]

    with ThreadPoolExecutor(10) as threads:
        ((again, of),) = set(threads.map(retry, range(10)))
    assert of == refused
    lucity.asks.succeeded(again)
    running = lucity.asks.deploy("shop", "web", "v2")
    assert data_of(lucity, query, id=running)["retryJob"]["id"] == running
    lucity.asks.succeeded(running)


def hostile_documents() -> list[str]:
    """Documents that would cost much more than they are long."""
    bomb = "".join(f"fragment a{n} on Query {{ ...a{n + 1} ...a{n + 1} x{n}: viewer {{ name }} }}" for n in range(60))
    fields = "fields { type { fields { type { " * 8 + "name" + "} } } }" * 8
    return [
        "{ a " * 20_000 + "}" * 20_000,
        "{" + " ".join(f"a{n}: viewer {{ name }}" for n in range(5000)) + "}",
        f"query {{ ...a0 }} {bomb} fragment a60 on Query {{ viewer {{ name }} }}",
        "{ __schema { types { " + fields + " } } }",
        "{ projects(first: 100) { nodes { commits(first: 100) { nodes { diff changes { key } } } } } }",
        "{ viewer { " + "name " * 50_000 + "} }",
    ]


def test_what_would_cost_too_much_is_refused_by_a_limit_that_has_a_name_and_memory_stays_flat(lucity: Product) -> None:
    url, memory = f"{lucity.up.url}/graphql", Memory(lucity.up.child("api"))
    auth = {"Authorization": f"Bearer {lucity.up.token}"}

    def attack() -> None:
        for document in hostile_documents():
            body = httpx.post(url, json={"query": document}, headers=auth).json()
            assert codes_of(body) == ["LIMIT_EXCEEDED"], document[:60]
            assert body["errors"][0]["extensions"]["limit"] in body["errors"][0]["message"]
        for content in (b'"' + b"a" * 10 * MIB + b'"', chunks(10 * MIB)):
            json_body = {**auth, "Content-Type": "application/json"}
            answer = httpx.post(url, content=content, headers=json_body)
            assert (answer.status_code, codes_of(answer.json())) == (413, ["LIMIT_EXCEEDED"])
        bomb = gzip.compress(b"0" * 64 * MIB)
        for service in ("git-upload-pack", "git-receive-pack"):
            assert git_post(lucity, service, bomb, gzipped=True) < 500
            assert git_post(lucity, service, b"z" * 5_000_000, gzipped=False) < 500

    attack()
    before = memory.resident_mib()
    for _ in range(4):
        attack()
    assert memory.resident_mib() - before < 32


class Memory:
    """What a process holds."""

    def __init__(self, pid: int) -> None:
        assert pid, "the process is not there"
        self._status = Path(f"/proc/{pid}/status")

    def resident_mib(self) -> int:
        """Resident memory now."""
        (line,) = [line for line in self._status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) // 1024


def chunks(size: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    for _ in range(size // 65536):
        yield b"a" * 65536


def git_post(lucity: Product, service: str, content: bytes, *, gzipped: bool) -> int:
    """The status of a request that no git would send."""
    headers = {"Content-Type": f"application/x-{service}-request"} | ({"Content-Encoding": "gzip"} if gzipped else {})
    url, auth = f"{lucity.up.url}/git/gitops/shop.git/{service}", ("me", lucity.up.token)
    return httpx.post(url, content=content, headers=headers, auth=auth, timeout=60).status_code


@pytest.mark.parametrize(
    "target",
    [
        "/git/gitops/../lucity/settings.git/info/refs?service=git-upload-pack",
        "/git/gitops/..%2flucity%2fsettings.git/info/refs?service=git-upload-pack",
        "/git/gitops/%2e%2e/lucity/settings.git/info/refs?service=git-upload-pack",
        "/git/gitops/shop%00.git/info/refs?service=git-upload-pack",
        "/git/gitops/--upload-pack=x.git/info/refs?service=git-upload-pack",
        "/git/gitops/SHOP.git/info/refs?service=git-upload-pack",
        "/git/gitops/shop.git/config",
        "/assets/../../adapters/settings.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%00",
    ],
)
def test_a_path_that_leads_elsewhere_leads_nowhere(lucity: Product, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {lucity.up.token}\r\n"
    address = httpx.URL(lucity.up.url)
    with socket.create_connection((address.host, address.port or 80)) as line:
        line.sendall(f"{request}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.split(b" ", 2)[1] == b"404", answer[:200]


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/healthz", "ok"), ("/readyz", '"ready":true'), ("/metrics", "lucity_"), ("/allowed_signers", "ssh-ed25519")],
)
def test_what_is_told_without_a_token_names_no_project_and_no_place(lucity: Product, path: str, shown: str) -> None:
    answer = httpx.get(f"{lucity.up.url}{path}")
    assert answer.status_code == 200
    assert shown in answer.text
    assert "shop" not in answer.text
    assert str(lucity.up.data) not in answer.text


def test_nothing_secret_is_in_logs_command_lines_or_files_that_others_may_read(lucity: Product) -> None:
    secrets: list[str] = [lucity.up.token, (lucity.up.data / "valkey" / "password").read_text().strip()]
    told = [log.read_text() for log in (lucity.up.data / "logs").glob("*.log")]
    arguments = list(lucity.up.processes().values())
    assert not [secret for secret in secrets for text in (*told, *arguments) if secret in text]
    assert oct(lucity.up.data.stat().st_mode & 0o777) == "0o700"
    private = ["admin-token", "valkey/password", "valkey/valkey.conf", "keys/token", "keys/signing"]
    assert {oct((lucity.up.data / name).stat().st_mode & 0o777) for name in private} == {"0o600"}


def test_keys_and_tokens_mean_the_same_after_a_restart(lucity: Product) -> None:
    made = data_of(
        lucity,
        """mutation { createToken(input: {name: "ci", email: "ci@example.org"}) {
          ... on IssuedToken { secret token { id } } } }""",
    )["createToken"]
    given: dict[str, Any] = {"project": "shop", "environment": "development", "idempotencyKey": "before"}
    image = [{"service": "api", "tag": "again"}]
    job = lucity.asks.change("deploy", **given, services=image)
    lucity.asks.succeeded(job)
    lucity.up.stop()
    lucity.restart()
    assert lucity.asks.try_change("deploy", **given, services=image)["id"] == job
    other = lucity.asks.try_change("deploy", **given, services=[{"service": "web", "tag": "again"}])
    assert (other["__typename"], other["code"], other["job"]["id"]) == ("Conflict", "KEY_REUSED", job)
    viewer = httpx.post(
        f"{lucity.up.url}/graphql",
        json={"query": "{ viewer { name kind } }"},
        headers={"Authorization": f"Bearer {made['secret']}"},
    )
    assert viewer.json() == {"data": {"viewer": {"name": "ci", "kind": "AUTOMATION"}}}


def test_no_request_of_this_module_was_a_mistake_of_ours(lucity: Product) -> None:
    def failed(line: dict[str, Any]) -> bool:
        return "exception" in line or line.get("level") == "error"

    lines = (lucity.up.data / "logs" / "api.log").read_text().splitlines()
    assert [line for line in lines if line.startswith("{") and failed(json.loads(line))] == []
    assert "Traceback" not in "\n".join(lines)
