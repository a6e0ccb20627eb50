"""serviceLog: from pods to subscribers, over both transports."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.kubernetes_api import configuration_by
from adapters.pod_follower import Bounds
from adapters.pod_logs import KubernetesPodLogs
from api.app import create_app
from gitops.changes import ActorKind
from gitops.operations.environments import DeleteEnvironment
from gitops.operations.projects import CreateProject
from gitops.operations.services import AddService, RemoveService
from tests.support.fake_kubernetes import fake_kubernetes
from tests.support.graphql_lab import Api, with_api
from tests.support.kubernetes_state import FakeKubernetes
from tests.support.lab import ANN, Lab, make_lab
from tests.support.log_reader import numbered
from tests.support.serving import served
from tests.support.streams import Subscribe, over_sse, over_websocket
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

PLACE = 'project: "shop", environment: "development", service: "api"'
LOG = f"subscription {{ serviceLog({PLACE}) {{ at pod container text }} }}"
ASKED = """subscription L(
        $project: String! = "shop", $environment: String! = "development", $service: String! = "api",
        $since: DateTime, $tail: Int = 100) {
    serviceLog(project: $project, environment: $environment, service: $service, since: $since, tail: $tail) {
        text } }"""
BOUNDS = Bounds(waiting=20, patience_seconds=0.3, linger_seconds=0.2, pause_seconds=0.2)


@dataclass
class Server:
    """A running API over a lab's ports."""

    lab: Lab
    url: str
    token: str
    token_id: str


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with fake_kubernetes() as running:
        yield running


@pytest.fixture
def bare(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """A project with service api in its one environment, and no cluster."""
    with closing(make_lab(tmp_path, valkey.url)) as made:
        made.flush()
        made.settle(CreateProject("shop", ("development",)))
        made.carry(AddService("shop", "api", "registry.example.com/shop/api", port=8080))
        yield made


@pytest.fixture
def lab(bare: Lab, fake: FakeKubernetes, tmp_path: Path) -> Lab:
    """The same with a cluster to read logs from."""
    logs = KubernetesPodLogs(partial(configuration_by, fake.kubeconfig(tmp_path)), BOUNDS)
    return replace(bare, ports=replace(bare.ports, pod_logs=logs))


@pytest.fixture
def server(lab: Lab) -> Iterator[Server]:
    with serving(lab) as started:
        yield started


@contextmanager
def serving(lab: Lab) -> Iterator[Server]:
    """Run the API on a free port until the block ends."""
    record, secret = lab.ports.tokens.issue(ANN, "Ada", "ada@example.org", ActorKind.PERSON)
    with served(create_app(lab.ports)) as port:
        yield Server(lab, f"http://127.0.0.1:{port}", secret, record.id)


both = pytest.mark.parametrize("subscribe", [over_websocket, over_sse])


@both
def test_lines_come_from_all_pods_and_go_on_with_their_replacements(
    server: Server, fake: FakeKubernetes, subscribe: Subscribe
) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")
    with subscribe(server, LOG) as stream:
        item = next(stream)
        assert item == {"at": "2026-01-23T12:00:00.001000Z", "pod": "api-1", "container": "api", "text": "one"}
        fake.add("api-2")
        fake.write("api-2", "two")
        assert (item := next(stream))["pod"] == "api-2"
        fake.remove("api-1")
        fake.write("api-2", "three")
        assert next(stream)["text"] == "three"


@both
def test_a_subscriber_that_leaves_ends_the_requests_to_the_cluster(
    server: Server, fake: FakeKubernetes, subscribe: Subscribe
) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")
    with subscribe(server, LOG) as stream:
        next(stream)
        assert fake.open_logs == 1
    wait_until(lambda: fake.open_logs == 0, "the log to be left")


@both
def test_a_revoked_token_ends_the_stream_and_its_requests(
    server: Server, fake: FakeKubernetes, subscribe: Subscribe
) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")
    with subscribe(server, LOG) as stream:
        next(stream)
        actor, _ = server.lab.ports.tokens.verify(server.token)
        server.lab.ports.tokens.revoke(actor, server.token_id)
        assert list(stream) == []
        assert stream.error == "UNAUTHENTICATED"
    wait_until(lambda: fake.open_logs == 0, "the log to be left")


@pytest.mark.parametrize("subscribe", [partial(over_websocket, frames=1), over_sse])
def test_a_subscriber_that_does_not_keep_up_is_told_since_when(
    server: Server, fake: FakeKubernetes, subscribe: Subscribe
) -> None:
    fake.add("api-1")
    with subscribe(server, LOG) as stream:
        wait_until(lambda: fake.open_logs == 1, "the log to be followed")
        for _ in range(60):
            fake.write("api-1", *("x" * 10_000 for _ in range(200)))
        wait_until(lambda: fake.open_logs == 0, "reading to be given up")
        read = [item["at"] for item in stream]
        assert stream.error == "SLOW_SUBSCRIBER"
    assert 0 < len(read) < 12_000
    assert read == sorted(read)


@both
def test_a_service_that_is_removed_completes_its_stream(
    server: Server, fake: FakeKubernetes, subscribe: Subscribe
) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")
    with subscribe(server, LOG) as stream:
        next(stream)
        server.lab.carry(AddService("shop", "web", "registry.example.com/shop/web"))
        fake.write("api-1", "two")
        assert next(stream)["text"] == "two"
        server.lab.carry(RemoveService("shop", "api"))
        assert list(stream) == []
        assert stream.error == ""


@both
def test_an_environment_that_is_deleted_completes_its_streams(
    server: Server, fake: FakeKubernetes, subscribe: Subscribe
) -> None:
    fake.add("api-1")
    fake.write("api-1", "one")
    with subscribe(server, LOG) as stream:
        next(stream)
        server.lab.carry(DeleteEnvironment("shop", "development", confirm="development"))
        assert list(stream) == []
        assert stream.error == ""


def test_tail_and_since_are_asked_of_the_cluster(lab: Lab, fake: FakeKubernetes) -> None:
    fake.add("api-1")
    fake.write("api-1", *numbered(10))

    async def story(api: Api) -> None:
        async with api.stream(ASKED, since="2026-01-23T12:00:00.008Z", tail=10_000) as stream:
            assert [(await stream.next())["text"] for _ in range(3)] == ["line 7", "line 8", "line 9"]
        async with api.stream(ASKED, tail=1) as stream:
            assert (await stream.next())["text"] == "line 9"
        async with api.stream(ASKED, tail=None) as stream:
            assert (await stream.next())["text"] == "line 0"

    with_api(lab, story)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"project": "none"}, "NOT_FOUND"),
        ({"environment": "none"}, "NOT_FOUND"),
        ({"service": "none"}, "NOT_FOUND"),
        ({"service": "No Name"}, "BAD_USER_INPUT"),
        ({"project": "settings"}, "BAD_USER_INPUT"),
        ({"tail": -1}, "BAD_USER_INPUT"),
        ({"tail": 10_001}, "BAD_USER_INPUT"),
    ],
)
def test_what_cannot_be_followed_is_refused(lab: Lab, fake: FakeKubernetes, given: dict[str, Any], code: str) -> None:
    async def story(api: Api) -> None:
        async with api.stream(ASKED, **given) as stream:
            assert await stream.failure() == code
        assert fake.asked == []
        assert api.hub.listeners == 0

    with_api(lab, story)


@both
def test_without_access_to_a_cluster_it_says_what_to_set(bare: Lab, subscribe: Subscribe) -> None:
    with serving(bare) as server, subscribe(server, LOG) as stream:
        assert list(stream) == []
        assert stream.error == "UNAVAILABLE"
        assert "LUCITY_KUBECONFIG" in stream.message


@both
def test_a_cluster_that_does_not_answer_is_unavailable(bare: Lab, subscribe: Subscribe, tmp_path: Path) -> None:
    nowhere = FakeKubernetes(url="http://127.0.0.1:1").kubeconfig(tmp_path)
    ports = replace(bare.ports, pod_logs=KubernetesPodLogs(partial(configuration_by, nowhere), BOUNDS))
    with serving(replace(bare, ports=ports)) as server, subscribe(server, LOG) as stream:
        assert list(stream) == []
        assert stream.error == "UNAVAILABLE"
