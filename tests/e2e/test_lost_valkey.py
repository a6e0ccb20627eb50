"""A Valkey that dies loses nothing that was accepted; one that forgets everything loses nothing that landed."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from redis import Redis

from tests.support.agreement import assert_agreement, history
from tests.support.product import Product, product
from tests.support.streams import Stream, over_sse, over_websocket
from tests.support.valkey import ValkeyServer, valkey_server

STATE = """{ project(name: "shop") { head { sha } environments { name }
  commits(first: 100) { nodes { sha subject kind signature { state } job { id state } } }
  matrix { service { name } cells { image { reference } } }
  environment(name: "development") {
    deployments(first: 100) { nodes { serviceName image { tag } current commit { sha } } } } }
  tokens { name kind } viewer { name } }"""

API = {"environment": "development", "services": ["api"]}


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("valkey") / "data") as started:
        started.found("shop")
        yield started


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Product]:
    """On a Valkey of ours, so that it can be emptied."""
    with product(tmp_path_factory.mktemp("forgetful") / "data", {"LUCITY_REDIS_URL": valkey.url}) as started:
        started.found("shop")
        yield started


@contextmanager
def deploying(lucity: Product, name: str, clients: int = 4) -> Iterator[list["Future[list[str]]"]]:
    """Clients that deploy one after the other, and insist, until the block ends and then once more."""
    enough = threading.Event()

    def deploy(number: int) -> list[str]:
        client = lucity.client()
        made: list[str] = []
        try:
            while not (enough.is_set() and made):
                made.append(client.deploy("shop", "api", f"{name}-{number}-{len(made)}"))
            return [*made, client.deploy("shop", "api", f"{name}-{number}-last")]
        finally:
            client.close()

    with ThreadPoolExecutor(clients) as threads:
        try:
            yield [threads.submit(deploy, number) for number in range(clients)]
        finally:
            enough.set()


def await_more(lucity: Product) -> None:
    """Wait until further changes have landed."""
    repository = lucity.repository("shop")
    landed = len(history(repository))
    lucity.up.wait("changes to land", lambda: len(history(repository)) > landed)


def flush(valkey: ValkeyServer) -> None:
    with Redis.from_url(valkey.url) as client:
        client.flushall()


def test_a_valkey_killed_in_the_middle_loses_nothing_that_was_accepted(lucity: Product) -> None:
    with deploying(lucity, "killed") as deploys:
        for _ in range(3):
            await_more(lucity)
            dead = lucity.up.child("valkey")
            os.kill(dead, signal.SIGKILL)
            lucity.up.wait("another Valkey", lambda: lucity.up.child("valkey") not in {0, dead})  # noqa: B023
    accepted = [job for one in deploys for job in one.result()]
    ended = lucity.asks.ended(accepted)
    assert {job["state"] for job in ended.values()} == {"SUCCEEDED"}
    assert_agreement(lucity.repository("shop"), lucity.asks.admitted("shop"), lucity.up.report())


def test_a_worker_whose_every_task_ended_while_valkey_was_away_hears_the_bell_again(lucity: Product) -> None:
    """Twice, because reconnecting is when things are forgotten."""
    if not lucity.repository("other").exists():
        lucity.found("other")
    lucity.kill()
    lucity.restart(LUCITY_FAILPOINT="before_seal:sleep=2")
    log = lucity.up.data / "logs" / "worker.log"
    for _ in range(2):
        held, unheard = lucity.reached(), log.read_text().count("Couldn't ack")
        jobs = [lucity.asks.change("restart", project=name, **API) for name in ("shop", "other")]
        lucity.up.wait("both pool processes to work", lambda: lucity.reached() >= held + 2)  # noqa: B023
        lucity.up.process.send_signal(signal.SIGSTOP)
        os.kill(lucity.up.child("valkey"), signal.SIGKILL)
        lucity.up.wait("both to end", lambda: log.read_text().count("Couldn't ack") >= unheard + 2)  # noqa: B023
        lucity.up.process.send_signal(signal.SIGCONT)
        lucity.asks.succeeded(*jobs)


def test_a_valkey_that_forgets_everything_at_rest_loses_nothing_that_landed(
    forgetful: Product, valkey: ValkeyServer
) -> None:
    asks = forgetful.asks
    given = {
        "project": "shop",
        "environment": "development",
        "services": [{"service": "api", "tag": "v1"}],
        "idempotencyKey": "k1",
    }
    (landed,) = asks.succeeded(asks.change("deploy", **given))
    asks.succeeded(asks.change("createEnvironment", project="shop", name="staging"))
    asks.insist("""mutation { createToken(input: {name: "ci", email: "ci@example.org"}) { __typename } }""")
    before = asks.insist(STATE)
    with over_websocket(forgetful.up, 'subscription { projectEvents(project: "shop") { cursor gap kind } }') as items:
        start = next(items)
        flush(valkey)
        # The last of the observer's events may still be on their way.
        assert next(item for item in items if item["gap"])["kind"] == "SNAPSHOT"
        assert asks.insist(STATE) == before
        assert asks.job(landed["id"]) == {**landed, "attempts": 1}
        assert asks.change("deploy", **given) == landed["id"]
        count = len(history(forgetful.repository("shop")))
        (fresh,) = asks.succeeded(asks.deploy("shop", "api", "v2"))
        assert not fresh["noChange"]
        assert len(history(forgetful.repository("shop"))) == count + 1
        assert [item["gap"] for item in (next(items), next(items))] == [False, False]
    again = f'subscription {{ projectEvents(project: "shop", after: "{start["cursor"]}") {{ cursor gap kind }} }}'
    with over_sse(forgetful.up, again) as items:
        first = next(items)
        assert (first["gap"], first["kind"]) == (True, "SNAPSHOT")


def test_a_valkey_that_forgets_everything_in_the_middle_ends_every_stream_and_goes_on(
    forgetful: Product, valkey: ValkeyServer
) -> None:
    head = forgetful.asks.insist('{ project(name: "shop") { head { sha } } }')["project"]["head"]["sha"]
    with deploying(forgetful, "flushed") as deploys:
        for _ in range(3):
            await_more(forgetful)
            flush(valkey)
    accepted = [job for one in deploys for job in one.result()]
    for job_id in accepted:
        with over_sse(
            forgetful.up, f'subscription {{ job(id: "{job_id}") {{ cursor gap job {{ state }} }} }}'
        ) as items:
            states = [item["job"]["state"] for item in items]
            assert states == [] or states[-1] == "SUCCEEDED" or items.error == "JOB_LOST", (states, items.error)
    known = forgetful.asks.jobs(accepted)
    commits = [commit.job for commit in history(forgetful.repository("shop")) if commit.job in set(accepted)]
    assert len(commits) == len(set(commits))
    assert set(commits) == {job_id for job_id, job in known.items() if not job["noChange"]}
    (last,) = forgetful.asks.succeeded(forgetful.asks.deploy("shop", "api", "after-all"))
    assert last["commit"]["sha"] != head


def test_the_stream_of_a_job_that_was_lost_says_so(forgetful: Product, valkey: ValkeyServer) -> None:
    os.killpg(forgetful.up.child("worker"), signal.SIGSTOP)
    try:
        job_id = forgetful.asks.deploy("shop", "api", "never")
        with over_websocket(forgetful.up, f'subscription {{ job(id: "{job_id}") {{ gap job {{ state }} }} }}') as items:
            assert next(items)["job"]["state"] == "QUEUED"
            flush(valkey)
            assert lost(items) == "JOB_LOST"
    finally:
        os.killpg(forgetful.up.child("worker"), signal.SIGCONT)
    assert forgetful.asks.job(job_id) is None
    forgetful.asks.succeeded(forgetful.asks.deploy("shop", "api", "at-once"))


def lost(items: Stream) -> str:
    """The code that a stream ends with."""
    assert list(items) == []
    return items.error
