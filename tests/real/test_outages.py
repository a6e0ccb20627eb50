"""Any part killed in the middle: the verdict comes, it is true, and every change lands exactly once."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis

from tests.support.agreement import assert_agreement, assert_last_wins
from tests.support.git import Clone
from tests.support.product import Product
from tests.support.realshop import Shop, Systems
from tests.support.realstack import Stack
from tests.support.up import LUCITY, Up

PARTS = ("server", "controller", "reposerver")
LEAD = "lucity:lease:observer"


@pytest.fixture(scope="module")
def redis(systems: Systems) -> Iterator[Redis]:
    with Product(systems.up).valkey() as client:
        yield client


def test_argo_cd_killed_in_the_middle_of_a_rollout_delays_its_verdict_only(shop: Shop, systems: Systems) -> None:
    stack = Stack.found()
    shop.ends(shop.deploy("api", "a000001"), "DEPLOYED")
    for number, part in enumerate(PARTS):
        sha = shop.deploy("api", f"b00000{number}")
        with stack.killed(part):
            web = shop.deploy("web", f"b00000{number}")
        assert shop.phases(sha)[-1] == "DEPLOYED"
        assert systems.kube.runs(shop.namespace("development"), "api") == [(f"registry.local/api:b00000{number}", 1)]
        shop.ends(web, "DEPLOYED")


def test_all_of_argo_cd_killed_at_once_calls_nothing_deployed_meanwhile(shop: Shop, systems: Systems) -> None:
    stack = Stack.found()
    sha = shop.deploy("api", "c000001")
    with stack.killed(PARTS[0]), stack.killed(PARTS[1]), stack.killed(PARTS[2]):
        running = systems.kube.runs(shop.namespace("development"), "api")
        if ("registry.local/api:c000001", 1) not in running:
            assert shop.rollout(sha)["phase"] != "DEPLOYED"
        later = shop.deploy("web", "c000001")
        assert shop.rollout(later)["phase"] in {"PENDING", "SYNCING"}
    assert shop.phases(sha)[-1] == "DEPLOYED"
    assert systems.kube.runs(shop.namespace("development"), "api") == [("registry.local/api:c000001", 1)]
    shop.ends(later, "DEPLOYED")


def test_a_git_host_killed_during_a_push_gets_the_change_once(shop: Shop, systems: Systems, tmp_path: Path) -> None:
    started, repository = tmp_path / "started", f"gitops/{shop.name}"
    systems.soft.install_hook(repository, "pre-receive", f"echo $$ > '{started}'; exec sleep 600")
    job_id = shop.client.deploy(shop.name, "api", "d000001")
    shop.wait("the push", lambda: started.exists() and started.read_text().strip())
    with Stack.found().killed("soft"):
        with suppress(ProcessLookupError):
            os.kill(int(started.read_text()), signal.SIGKILL)
        (systems.soft.path(repository) / "hooks" / "pre-receive.d" / "test").unlink()
    (job,) = shop.client.succeeded(job_id)
    clone = Clone.of(systems.soft.address(repository), tmp_path / "after")
    assert clone.subjects().count("deploy(development): api d000001") == 1
    shop.ends(job["commit"]["sha"], "DEPLOYED")


@contextmanager
def second_observer(up: Up, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another observer of the same Lucity, as on another machine."""
    own = Path(f"/proc/{up.child('observer')}/environ").read_bytes().split(b"\0")
    variables = dict(os.fsdecode(line).split("=", 1) for line in own if b"=" in line)
    variables.pop("LUCITY_PARENT", None)
    with log.open("wb") as output:
        process = subprocess.Popen([LUCITY, "observer"], env=variables, stdout=output, stderr=output, cwd=up.data)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def leads(redis: Redis) -> int:
    """The process id of the observer that leads; 0: none does."""
    owner = redis.get(LEAD)
    return int(str(owner).split(":")[1]) if owner else 0


def test_an_observer_killed_is_followed_by_another_that_knows_what_is_open(
    shop: Shop, systems: Systems, redis: Redis, tmp_path: Path
) -> None:
    up = systems.up
    first = up.child("observer")
    shop.wait("the observer to lead", lambda: leads(redis) == first)
    with second_observer(up, tmp_path / "log") as second:
        os.kill(up.process.pid, signal.SIGSTOP)  # it would start the first one again
        try:
            sha = shop.deploy("api", "e000001")
            os.kill(first, signal.SIGKILL)
            shop.wait("the other to lead", lambda: leads(redis) == second.pid)
            assert shop.phases(sha)[-1] == "DEPLOYED"
            shop.ends(shop.deploy("web", "e000001"), "DEPLOYED")
        finally:
            os.kill(up.process.pid, signal.SIGCONT)
    shop.wait("the first to be started again and lead", lambda: leads(redis) == up.child("observer"))
    shop.ends(shop.deploy("api", "e000002"), "DEPLOYED")


def test_an_observer_that_hangs_is_followed_and_says_nothing_when_it_wakes(
    shop: Shop, systems: Systems, redis: Redis, tmp_path: Path
) -> None:
    up = systems.up
    first = up.child("observer")
    shop.wait("the observer to lead", lambda: leads(redis) == first)
    with second_observer(up, tmp_path / "log") as second:
        sha = shop.deploy("api", "f000001")
        os.kill(first, signal.SIGSTOP)
        try:
            shop.wait("the other to lead", lambda: leads(redis) == second.pid)
            shop.ends(sha, "DEPLOYED")
        finally:
            os.kill(first, signal.SIGCONT)
        later = shop.deploy("api", "f000002")
        heard = shop.phases(later)
        assert heard == sorted(heard, key=["PENDING", "SYNCING", "ROLLING_OUT", "DEPLOYED"].index)
        assert shop.rollout(sha)["phase"] == "DEPLOYED"
        assert leads(redis) == second.pid


def kill_worker(up: Up) -> None:
    """With its pool; returns when there is another."""
    worker = up.wait("a worker", lambda: up.child("worker"))
    with suppress(ProcessLookupError):
        os.killpg(worker, signal.SIGKILL)
    up.wait("another worker", lambda: up.child("worker") not in {0, worker})


def test_a_worker_killed_again_and_again_loses_and_doubles_nothing(shop: Shop, systems: Systems) -> None:
    up = systems.up

    def deploy(number: int) -> list[str]:
        client = Product(up).client()
        try:
            return [client.deploy(shop.name, "api", f"k{number}-{turn}") for turn in range(10)]
        finally:
            client.close()

    with ThreadPoolExecutor(3) as threads:
        clients = [threads.submit(deploy, number) for number in range(3)]
        kills = 0
        while kills < 5 or not all(client.done() for client in clients):
            kill_worker(up)
            kills += 1
        accepted = [job for client in clients for job in client.result()]
    shop.client.succeeded(*accepted)
    repository = systems.soft.path(f"gitops/{shop.name}")
    jobs = shop.client.admitted(shop.name)
    assert set(accepted) <= {job["id"] for job in jobs}
    assert_agreement(repository, jobs, up.report())
    assert_last_wins(repository, "development", jobs)
    shop.ends(shop.head(), "DEPLOYED")
