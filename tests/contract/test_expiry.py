"""Ends of ephemeral environments: real Git, a real Valkey; the clock of the sweep is the test's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.records import JobFilter, JobRecord, JobState
from gitops.changes import JobKind
from gitops.operations import CreateEnvironment, CreateProject
from gitops.times import rfc3339
from jobs.expiry import admit_expired
from jobs.heads import notice
from tests.support.lab import Lab

END = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """A project with a preview whose end has passed."""
    lab.settle(CreateProject("shop", ("development",)))
    lab.settle(CreateEnvironment("shop", "pr-1", ephemeral=True))
    clone = lab.clone("shop")
    clone.commit("end it", {"environments/pr-1/environment.yaml": f"ephemeral: true\nexpiresAt: {rfc3339(END)}\n"})
    clone.push()
    notice(lab.ports, "shop")
    return lab


def deletions(lab: Lab) -> Sequence[JobRecord]:
    """The deletions of environments, newest first."""
    where = JobFilter(kinds=(JobKind.ENVIRONMENT_DELETE,), project="shop")
    return lab.ports.ledger.page(where, 100, None).jobs


def test_what_expired_is_deleted_once_by_lucity(shop: Lab) -> None:
    for _ in range(3):
        admit_expired(shop.ports, "shop", END + timedelta(seconds=1))
    (job,) = deletions(shop)
    assert (job.actor.id, job.environments, job.reason) == ("lucity", ("pr-1",), f"expired at {rfc3339(END)}")
    shop.work("shop")
    assert shop.job(job.id).state is JobState.WAITING


def test_before_its_end_nothing_is_deleted(shop: Lab) -> None:
    admit_expired(shop.ports, "shop", END - timedelta(seconds=1))
    assert deletions(shop) == ()


def test_a_deletion_that_failed_is_tried_again_once_an_hour(shop: Lab) -> None:
    for minutes in (1, 59, 61, 119, 121):
        admit_expired(shop.ports, "shop", END + timedelta(minutes=minutes))
        for job in deletions(shop):
            if not job.state.ended:
                shop.ports.ledger.cancel(job.id)
    assert len(deletions(shop)) == 3
