"""A process, or all of them, killed between any two steps of a change: one commit per job, and every job ends."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.failpoints import NAMES
from tests.support.agreement import assert_agreement, assert_last_wins
from tests.support.product import Product, product

CHANGES = 4
HOLD_SECONDS = 600


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("killed") / "data") as started:
        started.found("shop")
        yield started


@contextmanager
def changing(lucity: Product, name: str) -> Iterator[list["Future[str]"]]:
    """Clients that ask for a change each, and insist on an answer."""

    def deploy(number: int) -> str:
        client = lucity.client()
        try:
            return client.deploy("shop", "api", f"{name.replace('_', '-')}-{number}")
        finally:
            client.close()

    with ThreadPoolExecutor(CHANGES) as threads:
        yield [threads.submit(deploy, number) for number in range(CHANGES)]


def assert_all_landed_once(lucity: Product, accepted: list["Future[str]"]) -> None:
    lucity.asks.succeeded(*(job.result() for job in accepted))
    jobs = lucity.asks.admitted("shop")
    assert_agreement(lucity.repository("shop"), jobs, lucity.up.report())
    assert_last_wins(lucity.repository("shop"), "development", jobs)


@pytest.mark.parametrize("name", NAMES)
def test_everything_killed_at_a_step_and_then_the_process_that_takes_it_up_again(lucity: Product, name: str) -> None:
    lucity.kill()
    lucity.restart(LUCITY_FAILPOINT=f"{name}:sleep={HOLD_SECONDS}")
    held = lucity.reached()
    with changing(lucity, f"{name}-up") as first:
        lucity.up.wait(f"a process at {name}", lambda: lucity.reached() > held)
        lucity.kill()
        killed = lucity.reached()
        lucity.restart(LUCITY_FAILPOINT=f"{name}:kill")
        with changing(lucity, f"{name}-one") as second:
            pass
    assert_all_landed_once(lucity, [*first, *second])
    assert lucity.reached() == killed + 1, lucity.up.report()


def test_a_change_that_kills_the_worker_every_time_fails_and_its_neighbours_do_not(tmp_path: Path) -> None:
    with product(tmp_path / "data") as lucity:
        lucity.found("shop")
        lucity.kill()
        lucity.restart(LUCITY_FAILPOINT="after_claim:kill:3")
        os.killpg(lucity.up.child("worker"), signal.SIGSTOP)
        accepted = [lucity.asks.deploy("shop", "api", f"v{number}") for number in range(5)]
        os.killpg(lucity.up.child("worker"), signal.SIGCONT)
        poison, *neighbours = lucity.asks.ended(accepted).values()
        assert poison["state"] == "FAILED", lucity.up.report()
        assert "died again and again" in poison["error"]["message"]
        assert [job["state"] for job in neighbours] == ["SUCCEEDED"] * 4, lucity.up.report()
        (again,) = lucity.asks.succeeded(lucity.asks.deploy("shop", "api", "v9"))
        assert again["attempts"] == 1
        assert_agreement(lucity.repository("shop"), lucity.asks.admitted("shop"), lucity.up.report())
