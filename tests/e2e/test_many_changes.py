"""Many clients on one project, with people who push by hand in between."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.support.agreement import assert_agreement, assert_last_wins, history
from tests.support.git import Clone, git
from tests.support.product import Product, product

CLIENTS = 20
DEPLOYS = 200
PUSHES = 20


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("many") / "data") as started:
        yield started


def deploy_some(lucity: Product, number: int, numbers: "count[int]", deploys: int) -> list[str]:
    """One client's deploys, every other one to the service that all of them deploy."""
    client = lucity.client()
    try:
        return [
            client.deploy("shop", "api" if turn % 2 else f"s{number % 4}", f"v{next(numbers)}")
            for turn in range(deploys)
        ]
    finally:
        client.close()


def push_by_hand(lucity: Product, folder: Path, pushes: int) -> list[str]:
    """Commits that a person makes and pushes through the product, rebasing whenever somebody was faster."""
    clone = Clone.of(lucity.up.git_url("shop"), folder)
    subjects = [f"by hand {number}" for number in range(pushes)]
    for subject in subjects:
        clone.commit(subject, {f"notes/{subject}.txt": f"{subject}\n"})
        lucity.up.wait(f"the push of {subject}", lambda: pushed(clone))
    return subjects


def pushed(clone: Clone) -> bool:
    git(clone.folder, "pull", "--quiet", "--rebase", "origin", "main")
    return "!" not in git(clone.folder, "push", "--porcelain", "origin", "HEAD:refs/heads/main", check=False)


def test_every_accepted_change_ends_as_one_commit_in_order_and_nothing_made_by_hand_is_lost(
    lucity: Product, tmp_path: Path
) -> None:
    lucity.found("shop", services=("api", "s0", "s1", "s2", "s3"))
    numbers = count()
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        by_hand = threads.submit(push_by_hand, lucity, tmp_path / "clone", PUSHES)
        deploys = [
            threads.submit(deploy_some, lucity, number, numbers, DEPLOYS // CLIENTS) for number in range(CLIENTS)
        ]
        accepted = [job for one in deploys for job in one.result()]
        subjects = by_hand.result()
    assert len(set(accepted)) == DEPLOYS
    ended = lucity.asks.ended(accepted)
    assert {job["state"] for job in ended.values()} == {"SUCCEEDED"}, lucity.up.report()
    jobs = lucity.asks.admitted("shop")
    assert set(accepted) <= {job["id"] for job in jobs}
    assert_agreement(lucity.repository("shop"), jobs, lucity.up.report())
    assert_last_wins(lucity.repository("shop"), "development", jobs)
    landed = [commit.subject for commit in history(lucity.repository("shop"))]
    assert [subject for subject in landed if subject.startswith("by hand")] == subjects
    clone = Clone.of(lucity.up.git_url("shop"), tmp_path / "after")
    assert sorted(path.name for path in (clone.folder / "notes").iterdir()) == sorted(f"{one}.txt" for one in subjects)
