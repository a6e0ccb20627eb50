"""Pushes whose end nobody was told, on the real processes: the job's record and Git agree in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agreement import assert_agreement, assert_last_wins, history
from tests.support.git import install_hook
from tests.support.product import Product, product


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("doubtful") / "data") as started:
        started.found("shop")
        yield started


@pytest.fixture
def repository(lucity: Product) -> Iterator[Path]:
    """The project's repository on the host; its hooks go with the test."""
    repository = lucity.repository("shop")
    yield repository
    for hook in (repository / "hooks").glob("*-receive"):
        hook.unlink()


def agree(lucity: Product) -> None:
    jobs = lucity.asks.admitted("shop")
    assert_agreement(lucity.repository("shop"), jobs, lucity.up.report())
    assert_last_wins(lucity.repository("shop"), "development", jobs)


def test_a_push_that_landed_though_the_client_was_told_otherwise_is_found_and_not_repeated(
    lucity: Product, repository: Path
) -> None:
    install_hook(repository, "post-receive", "kill -9 $PPID")
    jobs = lucity.asks.succeeded(*(lucity.asks.deploy("shop", "api", f"lost-{number}") for number in range(4)))
    assert not any(job["noChange"] for job in jobs)
    agree(lucity)


def test_a_push_that_hangs_after_it_landed_is_found_by_looking(
    lucity: Product, repository: Path, tmp_path: Path
) -> None:
    install_hook(repository, "post-receive", f"rm $0; touch '{tmp_path}/landed'; sleep 600")
    job = lucity.asks.deploy("shop", "api", "hung-after")
    lucity.up.wait("the push to land", (tmp_path / "landed").exists)
    assert history(repository)[-1].job == job
    refused = lucity.asks.cancel(job)
    assert refused["__typename"] == "Job" or refused["code"] in {"PUSHING", "JOB_ENDED"}
    lucity.asks.succeeded(job)
    agree(lucity)


@pytest.mark.parametrize("tries", [1, 3])
def test_a_push_that_hangs_past_its_lease_while_the_user_cancels(
    lucity: Product, repository: Path, tmp_path: Path, tries: int
) -> None:
    once = f'n=$(ls {tmp_path} | wc -l); touch "{tmp_path}/$n.began"; [ $n -ge {tries} ] || sleep 6'
    install_hook(repository, "pre-receive", once)
    hanging, behind = lucity.asks.deploy("shop", "api", f"hung-{tries}"), lucity.asks.deploy("shop", "api", "behind")
    lucity.up.wait("the push to begin", (tmp_path / "0.began").exists)
    assert lucity.asks.cancel(hanging)["code"] == "PUSHING"

    def canceled_or_ended() -> bool:
        answer = lucity.asks.cancel(hanging)
        return bool(answer["__typename"] == "Job" or answer["code"] == "JOB_ENDED")

    lucity.up.wait("a cancel that is taken", canceled_or_ended)
    ended = lucity.asks.ended([hanging, behind])
    assert ended[hanging]["state"] in {"CANCELED", "SUCCEEDED"}
    assert ended[behind]["state"] == "SUCCEEDED"
    agree(lucity)


def test_a_worker_killed_while_its_push_hangs_leaves_nothing_that_lands_later(
    lucity: Product, repository: Path, tmp_path: Path
) -> None:
    install_hook(repository, "pre-receive", f"rm $0; touch '{tmp_path}/began'; sleep 2; touch '{tmp_path}/over'")
    job = lucity.asks.deploy("shop", "api", "killed-in-push")
    lucity.up.wait("the push to begin", (tmp_path / "began").exists)
    lucity.kill()
    head = history(repository)[-1]
    lucity.restart()
    lucity.asks.succeeded(job)
    agree(lucity)
    assert [commit.job for commit in history(repository)[-2:]] == [head.job, job]
