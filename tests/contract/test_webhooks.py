"""Webhooks on a real socket, over real Git and a real Valkey: who is believed, and what becomes of what they say."""

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from adapters.records import JobRecord, JobState
from api.app import create_app
from api.webhooks import WebhookEndpoint, Webhooks
from gitops.changes import Change, JobKind
from gitops.operations import AddService, CreateProject, UpdateProject, ValueSetting
from gitops.services import Source
from jobs import project_secrets
from jobs.pushes import Accepted
from tests.fakes import FakeBuilder, FakeRegistry, FakeSources
from tests.support.lab import Lab, make_lab
from tests.support.serving import served
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

SAMPLES = Path(__file__).parents[1] / "unit" / "forges"
SECRET = "correct-horse-battery-staple"
REGISTRY = "registry.example.org"
ADDRESSES = {
    "github": "https://github.com/acme/shop.git",
    "gitlab": "git@gitlab.example.org:acme/shop.git",
    "gitea": "https://gitea.example.org/acme/shop",
    "generic": "https://git.example.org/acme/shop.git",
}
EVENTS: dict[str, dict[str, dict[str, str]]] = {
    "github": {"push": {"X-GitHub-Event": "push"}, "request": {"X-GitHub-Event": "pull_request"}},
    "gitlab": {"push": {"X-Gitlab-Event": "Push Hook"}, "request": {"X-Gitlab-Event": "Merge Request Hook"}},
    "gitea": {"push": {"X-Gitea-Event": "push"}, "request": {"X-Gitea-Event": "pull_request"}},
    "generic": {"push": {}, "request": {}},
}
IDS = {
    "github": "X-GitHub-Delivery",
    "gitlab": "Idempotency-Key",
    "gitea": "X-Gitea-Delivery",
    "generic": "X-Lucity-Delivery",
}


@dataclass
class Place:
    """A running API over a lab; `url` is its address."""

    lab: Lab
    url: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def send(
        self, forge: str, body: bytes, headers: dict[str, str], project: str = "shop", secret: str = SECRET
    ) -> httpx.Response:
        """A signed delivery."""
        sent = {"Content-Type": "application/json", **headers, **signature(forge, body, secret)}
        return httpx.post(f"{self.url}/webhooks/{forge}/{project}", content=body, headers=sent, timeout=30)

    def deliver(self, name: str, delivery: str = "d1") -> httpx.Response:
        """What a forge sends, by the name of its sample."""
        forge, _, event = name.partition("-")
        headers = {**EVENTS[forge][event.partition("-")[0]], IDS[forge]: delivery}
        return self.send(forge, (SAMPLES / f"{name}.json").read_bytes(), headers)

    def jobs(self) -> Sequence[JobRecord]:
        """All jobs that webhooks made; nobody carries them out."""
        return self.lab.ports.ledger.unfinished(["shop"]).get("shop", ())


def signature(forge: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers by which a forge shows that it knows the secret."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "github": {"X-Hub-Signature-256": f"sha256={digest}"},
        "gitlab": {"X-Gitlab-Token": secret},
        "gitea": {"X-Gitea-Signature": digest},
        "generic": {"X-Lucity-Signature-256": f"sha256={digest}"},
    }.get(forge, {})


@contextmanager
def listening(lab: Lab) -> Iterator[Place]:
    """The API on a free port until the block ends."""
    with served(create_app(lab.ports)) as port:
        yield Place(lab, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Place]:
    """A project whose services are built from one repository on each forge, and one without a secret."""
    builder = FakeBuilder()
    with closing(make_lab(tmp_path_factory.mktemp("lab"), valkey.url)) as lab:
        lab.flush()
        registry = FakeRegistry(REGISTRY, builder.pushed)
        lab.ports = replace(lab.ports, sources=FakeSources(), builder=builder, registry=registry)
        settings = (ValueSetting("branches.main", ["development"]), ValueSetting("previews.enabled", value=True))
        changes: list[Change] = [CreateProject(name, ("development",)) for name in ("plain", "shop")]
        changes += [
            AddService("shop", name, f"{REGISTRY}/{name}", source=Source(url)) for name, url in ADDRESSES.items()
        ]
        with lab.observer():
            for job in [lab.admit(change) for change in (*changes, UpdateProject("shop", settings))]:
                lab.work(job.project)
                assert lab.ended(job.id).state is JobState.SUCCEEDED
        project_secrets.write(lab.ports.secrets, "shop", "webhook", SECRET)
        with listening(lab) as running:
            yield running


@pytest.mark.parametrize("forge", sorted(ADDRESSES))
def test_a_push_becomes_a_build_of_what_is_built_from_there(place: Place, forge: str) -> None:
    answer = place.deliver(f"{forge}-push", f"push-{forge}")
    assert answer.status_code == 202, answer.text
    assert answer.json()["ignored"] is None
    (job_id,) = answer.json()["jobs"]
    job = place.lab.job(job_id)
    assert (job.kind, job.services, job.environments) == (JobKind.BUILD, (forge,), ("development",))
    assert job.actor.id == f"webhook_{forge}"


@pytest.mark.parametrize("forge", sorted(ADDRESSES))
def test_a_request_becomes_an_environment_and_a_build(place: Place, forge: str) -> None:
    answer = place.deliver(f"{forge}-request-opened", f"request-{forge}")
    assert answer.status_code == 202, answer.text
    kinds = [place.lab.job(job_id).kind for job_id in answer.json()["jobs"]]
    assert JobKind.BUILD in kinds or "newer" in answer.json()["ignored"]


def test_the_same_delivery_leads_to_the_same_jobs_however_often_and_at_once(place: Place) -> None:
    with ThreadPoolExecutor(12) as senders:
        answers = list(senders.map(lambda _: place.deliver("github-push", "doubled"), range(24)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({json.dumps(answer.json()) for answer in answers}) == 1


def test_what_leads_to_nothing_says_why(place: Place) -> None:
    for name, why in [("github-push-tag", "neither"), ("github-push-deleted", "deleted")]:
        answer = place.deliver(name)
        assert (answer.status_code, answer.json()["jobs"]) == (202, [])
        assert why in answer.json()["ignored"]
    ping = place.send("generic", b'{"event": "ping"}', {})
    assert (ping.status_code, ping.json()["ignored"]) == (202, "a ping: the webhook works")


@pytest.mark.parametrize(
    "path",
    ["github/plain", "github/nowhere", "github/Shop", "github/shop.git", "bitbucket/shop", "github/lucity", "x/y"],
)
def test_without_a_secret_there_is_nothing_and_always_the_same_nothing(place: Place, path: str) -> None:
    answers = [
        httpx.post(f"{place.url}/webhooks/{each}", content=b"{}", headers=signature("github", b"{}", ""))
        for each in (path, "github/plain")
    ]
    for answer in answers:
        for name in ("x-request-id", "date"):
            del answer.headers[name]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert (answers[0].text, answers[0].headers) == (answers[1].text, answers[1].headers)


@pytest.mark.parametrize("forge", sorted(ADDRESSES))
def test_a_wrong_signature_is_401_and_makes_nothing(place: Place, forge: str) -> None:
    before = len(place.jobs())
    body = (SAMPLES / f"{forge}-push.json").read_bytes()
    headers = {**EVENTS[forge]["push"], IDS[forge]: "forged"}
    assert place.send(forge, body, headers, secret="something-else-altogether").status_code == 401
    assert httpx.post(f"{place.url}/webhooks/{forge}/shop", content=body, headers=headers).status_code == 401
    assert httpx.post(f"{place.url}/webhooks/{forge}/shop", content=b"{", headers=headers).status_code == 401
    assert len(place.jobs()) == before


def test_a_body_that_was_altered_is_401(place: Place) -> None:
    body = (SAMPLES / "github-push.json").read_bytes()
    headers = {"X-GitHub-Event": "push", **signature("github", body, SECRET)}
    altered = body.replace(b"refs/heads/main", b"refs/heads/next")
    assert httpx.post(f"{place.url}/webhooks/github/shop", content=altered, headers=headers).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"ref": 7}', b"[" * 50_000])
def test_what_cannot_be_read_is_400(place: Place, body: bytes) -> None:
    answer = place.send("github", body, {"X-GitHub-Event": "push"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")


def test_a_form_of_github_is_read(place: Place) -> None:
    form = urlencode({"payload": (SAMPLES / "github-push.json").read_text()}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "push"}
    answer = place.send("github", form, {**headers, "X-GitHub-Delivery": "as-a-form"})
    assert (answer.status_code, len(answer.json()["jobs"])) == (202, 1)


def test_the_largest_body_is_read_and_a_larger_one_is_413(place: Place) -> None:
    fits = json.dumps({"event": "ping", "pad": "x" * (1024 * 1024 - 30)}).encode()
    assert len(fits) <= 1024 * 1024
    assert place.send("generic", fits, {}).status_code == 202
    assert place.send("generic", fits + b" " * 31, {}).status_code == 413


def test_a_body_without_end_is_refused_before_its_end(place: Place) -> None:
    with socket.create_connection(("127.0.0.1", place.port), timeout=30) as connection:
        head = f"POST /webhooks/github/shop HTTP/1.1\r\nHost: 127.0.0.1:{place.port}\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(17):
            connection.sendall(piece)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    endpoint = WebhookEndpoint(Webhooks(lambda _project: SECRET.encode(), lambda *_: Accepted()), body_seconds=0.2)
    app = Starlette(routes=[Route("/webhooks/{forge}/{project}", endpoint.answer, methods=["POST"])])
    with served(app) as port, socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST /webhooks/github/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")


def test_pages_of_other_sites_and_other_names_are_kept_out(place: Place) -> None:
    body = b'{"event": "ping"}'
    assert place.send("generic", body, {"Origin": "https://evil.example"}).status_code == 403
    assert place.send("generic", body, {"Host": "evil.example"}).status_code == 403


def test_nothing_but_a_post_is_answered(place: Place) -> None:
    assert httpx.get(f"{place.url}/webhooks/github/shop").status_code in {404, 405}


def test_without_a_builder_it_is_to_be_sent_again(place: Place) -> None:
    lab = replace(place.lab, ports=replace(place.lab.ports, registry=None))
    with listening(lab) as running:
        answer = running.deliver("github-push", "no-builder")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_without_redis_it_is_to_be_sent_again_and_then_leads_to_its_jobs(place: Place, valkey: ValkeyServer) -> None:
    valkey.kill()
    answer = place.deliver("gitea-push", "while-away")
    assert answer.status_code == 503, answer.text
    valkey.restart()
    wait_until(lambda: place.deliver("gitea-push", "while-away").status_code == 202, "Redis to be there again")
    assert len(place.deliver("gitea-push", "while-away").json()["jobs"]) == 1


def test_a_secret_that_was_changed_counts_at_once(place: Place) -> None:
    project_secrets.write(place.lab.ports.secrets, "shop", "webhook", SECRET[::-1])
    try:
        assert place.deliver("generic-push").status_code == 401
    finally:
        project_secrets.write(place.lab.ports.secrets, "shop", "webhook", SECRET)
    assert place.deliver("generic-push").status_code == 202
