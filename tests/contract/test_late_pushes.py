"""Pushes that end, or begin, when others already decide about them: what the ledger says stays what Git holds."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from adapters.claims import RedisClaims
from adapters.folder_lock import locked
from adapters.local_git import LocalGitHost
from adapters.records import JobState
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.projects import CreateProject
from gitops.operations.services import AddService
from gitops.problems import Refused
from jobs import heads
from jobs.looking import look
from tests.support.git import git, install_hook
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

DEPLOY = Deploy("shop", "development", (ServiceImage("api", "v1"),))


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url, push_timeout_seconds=1, fetch_timeout_seconds=1)) as lab:
        lab.flush()
        lab.settle(CreateProject("shop", ("development",)))
        lab.carry(AddService("shop", "api", "registry.example.com/shop/api"))
        yield lab


def repository(shop: Lab) -> Path:
    assert isinstance(shop.ports.githost, LocalGitHost)
    return shop.ports.githost.path("shop")


def job_ids(shop: Lab) -> str:
    return git(repository(shop), "log", "--format=%(trailers:key=Job-Id,valueonly)", "main")


def test_a_push_that_begins_after_others_gave_it_up_does_not_begin(shop: Lab) -> None:
    """As on a computer that slept between the seal and the push."""
    url = shop.ports.settings.redis
    asleep = make_lab(shop.folder, url, testing=True, failpoint="before_push:sleep=6", push_timeout_seconds=1)
    with closing(asleep), Redis.from_url(url, decode_responses=True) as client:
        claims = RedisClaims(client, asleep.ports.settings, hard_limit_seconds=1)
        asleep = replace(asleep, ports=replace(asleep.ports, claims=claims))
        job = shop.admit(DEPLOY)
        worker = threading.Thread(target=asleep.work, args=("shop",))
        worker.start()
        shop.wait("the seal", lambda: shop.job(job.id).sealed_at)

        def given_up() -> bool:
            claim = shop.ports.claims.claim("shop", "worker-2", 10)
            if claim is None:
                return False
            look(shop.ports, claim, claim.jobs)
            shop.ports.claims.release(claim)
            return shop.job(job.id).state is JobState.QUEUED

        shop.wait("somebody else to give the push up", given_up)
        assert worker.is_alive()
        assert shop.ports.ledger.cancel(job.id).state is JobState.CANCELED
        worker.join()
    assert job.id not in job_ids(shop)


def test_a_host_that_cannot_be_asked_right_after_a_push_does_not_bring_what_landed_back_into_the_queue(
    shop: Lab, tmp_path: Path
) -> None:
    install_hook(
        repository(shop),
        "post-receive",
        f"touch '{tmp_path}/landed'; until [ -e '{tmp_path}/on' ]; do sleep 0.05; done",
    )
    patient = make_lab(shop.folder, shop.ports.settings.redis, push_timeout_seconds=20, fetch_timeout_seconds=1)
    job = shop.admit(DEPLOY)
    with closing(patient):
        worker = threading.Thread(target=patient.work, args=("shop",))
        worker.start()
        shop.wait("the push to land", (tmp_path / "landed").exists)
        ours = heads.notice(shop.ports, "shop")
        tree = git(repository(shop), "rev-parse", f"{ours}^{{tree}}")
        newer = git(repository(shop), "commit-tree", tree, "-p", f"{ours}", "-m", "by hand")
        git(repository(shop), "update-ref", "refs/heads/main", newer)
        with locked(shop.folder / "data" / "mirrors" / "shop.lock", 1):
            (tmp_path / "on").touch()
            worker.join()
        with pytest.raises(Refused):
            shop.ports.ledger.cancel(job.id)
        assert job.id in job_ids(shop)
        (step,) = shop.job(job.id).steps
        assert (step.name, step.state) == ("commit", JobState.RUNNING)
        assert "whether that arrived cannot be told yet: waiting for git" in (step.message or "")
        assert shop.ports.leases.held("pause:shop"), "asked again and again, a host that is away is no better"

        def ended() -> bool:
            shop.ports.claims.sweep(0)
            shop.work("shop")
            return shop.job(job.id).state.ended

        shop.wait("the end of the job", ended)
    assert shop.job(job.id).state is JobState.SUCCEEDED
