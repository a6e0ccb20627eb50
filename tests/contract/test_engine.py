"""The way of a change, step by step: real Git, a real Valkey, real Helm."""

from contextlib import closing
from pathlib import Path

import pytest

from adapters.failpoints import FailpointRaised
from adapters.records import JobState
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.projects import CreateProject, DeleteProject
from gitops.operations.promotions import Promote
from gitops.operations.services import AddService
from gitops.problems import AlreadyExists, Conflict, ConflictCode, JobFailure, NotFound, Refused
from jobs import heads
from tests.support.git import git, install_hook
from tests.support.lab import Lab, make_lab


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """A project with development and staging, and service api."""
    lab.settle(CreateProject("shop", ("development", "staging")))
    lab.carry(AddService("shop", "api", "registry.example.com/shop/api", port=8080))
    return lab


def deploy(tag: str, environment: str = "development") -> Deploy:
    return Deploy("shop", environment, (ServiceImage("api", tag),))


def test_a_deploy_becomes_one_signed_commit_with_its_job_id(shop: Lab) -> None:
    (job,) = shop.carry(deploy("a1b2c3d"))
    assert job.state is JobState.SUCCEEDED
    clone = shop.clone("shop")
    assert clone.subjects()[0] == "deploy(development): api a1b2c3d"
    body = git(clone.folder, "log", "-1", "--format=%B%n%an%n%cn")
    assert f"Job-Id: {job.id}" in body
    assert body.splitlines()[-2:] == ["Ann", "Lucity"]
    assert shop.ports.events.heads(["shop"])["shop"] == job.commit


def test_a_queue_is_one_push_and_one_commit_each_in_order(shop: Lab) -> None:
    head = heads.notice(shop.ports, "shop")
    jobs = shop.carry(*(deploy(f"v{number}") for number in range(20)))
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 20
    clone = shop.clone("shop")
    subjects = git(clone.folder, "log", "--reverse", "--format=%s", f"{head}..HEAD").splitlines()
    assert subjects == [f"deploy(development): api v{number}" for number in range(20)]
    assert len({job.head for job in jobs}) == 1


def test_the_same_deploy_again_is_no_change(shop: Lab) -> None:
    first, second = shop.carry(deploy("v1"), deploy("v1"))
    assert (first.no_change, second.no_change) == (False, True)
    assert second.commit is None


def test_a_change_builds_on_what_was_pushed_by_hand_and_loses_none_of_it(shop: Lab) -> None:
    clone = shop.clone("shop")
    by_hand = clone.commit("by hand", {"notes.txt": "kept\n"})
    job = shop.admit(deploy("v1"))
    clone.push()
    shop.work("shop")
    assert shop.job(job.id).state is JobState.SUCCEEDED
    clone.pull()
    assert clone.subjects()[:2] == ["deploy(development): api v1", "by hand"]
    assert by_hand in git(clone.folder, "log", "--format=%H")


def test_a_revert_by_hand_while_the_mirror_is_behind_makes_the_same_deploy_a_change_again(shop: Lab) -> None:
    shop.carry(deploy("v1"), deploy("v2"))
    clone = shop.clone("shop")
    git(clone.folder, "revert", "--no-edit", "HEAD")
    clone.push()
    (job,) = shop.carry(deploy("v2"))
    assert not job.no_change
    assert job.commit is not None


def test_a_hook_that_refuses_one_change_of_many_fails_only_that_one(shop: Lab) -> None:
    repository = Path(shop.ports.githost.remote("shop")[0])
    script = """while read old new ref; do
        git log --format=%s "$old..$new" | grep -q "api v7$" && echo no seven >&2 && exit 1
    done
    exit 0"""
    install_hook(repository, "pre-receive", script)
    jobs = shop.carry(*(deploy(f"v{number}") for number in range(20)))
    failed = [number for number, job in enumerate(jobs) if job.state is JobState.FAILED]
    assert failed == [7]
    problem = jobs[7].problem
    assert isinstance(problem, JobFailure)
    assert "no seven" in problem.message
    assert shop.clone("shop").subjects()[:3] == [f"deploy(development): api v{number}" for number in (19, 18, 17)]


def test_what_was_sealed_and_landed_without_a_record_is_recorded_and_not_done_again(shop: Lab) -> None:
    job = shop.admit(deploy("v1"))
    redis = shop.ports.settings.redis
    broken = make_lab(shop.folder, redis, testing=True, failpoint="after_push:raise", lease_seconds=0.5)
    with closing(broken), pytest.raises(FailpointRaised):
        broken.work("shop")
    assert shop.job(job.id).state is JobState.RUNNING
    shop.wait("the claim to expire", lambda: "shop" in shop.ports.claims.sweep(0) or None)
    shop.work("shop")
    ended = shop.job(job.id)
    assert ended.state is JobState.SUCCEEDED
    assert ended.commit == heads.notice(shop.ports, "shop")
    assert shop.clone("shop").subjects().count("deploy(development): api v1") == 1


def test_a_cancel_before_the_seal_takes_the_change_out_and_the_rest_lands(shop: Lab) -> None:
    first, second = shop.admit(deploy("v1")), shop.admit(deploy("v2"))
    claim = shop.ports.claims.claim("shop", "other", 10)
    assert claim is not None
    shop.ports.ledger.cancel(first.id)
    shop.ports.claims.release(claim)
    shop.work("shop")
    assert shop.job(first.id).state is JobState.CANCELED
    assert shop.job(second.id).state is JobState.SUCCEEDED


def test_an_unknown_environment_is_refused_at_once_and_one_that_is_queued_is_not(shop: Lab) -> None:
    with pytest.raises(Refused) as refused:
        shop.admit(deploy("v1", "nowhere"))
    assert isinstance(refused.value.problem, NotFound)
    shop.admit(CreateEnvironment("shop", "nowhere"))
    assert shop.admit(deploy("v1", "nowhere")).state is JobState.QUEUED


def test_an_existing_environment_cannot_be_created_unless_it_is_about_to_go(shop: Lab) -> None:
    with pytest.raises(Refused) as refused:
        shop.admit(CreateEnvironment("shop", "staging"))
    assert isinstance(refused.value.problem, AlreadyExists)
    shop.admit(DeleteEnvironment("shop", "staging", confirm="staging"))
    assert shop.admit(CreateEnvironment("shop", "staging")).state is JobState.QUEUED


def test_create_deploy_delete_create_fired_without_waiting_happen_in_order(shop: Lab) -> None:
    jobs = [
        shop.admit(CreateEnvironment("shop", "pr-1", ephemeral=True)),
        shop.admit(deploy("v1", "pr-1")),
        shop.admit(DeleteEnvironment("shop", "pr-1")),
        shop.admit(CreateEnvironment("shop", "pr-1", ephemeral=True)),
    ]
    with shop.observer():

        def all_ended() -> bool | None:
            shop.work("shop")
            return all(shop.job(job.id).state.ended for job in jobs) or None

        shop.wait("the end of all four", all_ended)
    assert [shop.job(job.id).state for job in jobs] == [JobState.SUCCEEDED] * 4
    assert shop.clone("shop").subjects()[:4] == [
        "env(create): pr-1",
        "env(delete): pr-1",
        "deploy(pr-1): api v1",
        "env(create): pr-1",
    ]


def test_a_namespace_belongs_to_one_pair(lab: Lab) -> None:
    lab.admit(CreateProject("a-b", ("c",)))
    with pytest.raises(Refused) as refused:
        lab.admit(CreateProject("a", ("b-c",)))
    problem = refused.value.problem
    assert isinstance(problem, AlreadyExists)
    assert (problem.what, problem.name) == ("namespace", "a-b-c")


def test_a_project_goes_with_a_bundle_kept_and_can_come_again(shop: Lab) -> None:
    with shop.observer():
        gone = shop.admit(DeleteProject("shop", "shop"))
        again = shop.admit(CreateProject("shop", ("development",)))

        def both_ended() -> bool | None:
            shop.work("shop")
            return (shop.job(gone.id).state.ended and shop.job(again.id).state.ended) or None

        shop.wait("the project to go and come", both_ended)
    assert shop.job(gone.id).state is JobState.SUCCEEDED
    assert shop.job(again.id).state is JobState.SUCCEEDED
    assert shop.clone("shop").subjects() == ["project(create): shop"]
    assert len(list((shop.folder / "data" / "archive").glob("shop-*.bundle"))) == 1


def test_expected_head_refuses_only_when_what_the_change_touches_moved(shop: Lab) -> None:
    (first,) = shop.carry(deploy("v1"))
    shop.carry(deploy("v1", "staging"))
    elsewhere = shop.admit(deploy("v2"), expected_head=first.commit)
    shop.work("shop")
    assert shop.job(elsewhere.id).state is JobState.SUCCEEDED
    with pytest.raises(Refused) as refused:
        shop.admit(deploy("v3"), expected_head=first.commit)
    problem = refused.value.problem
    assert isinstance(problem, Conflict)
    assert problem.code is ConflictCode.HEAD_MOVED


def test_a_promotion_copies_the_image_and_names_where_it_was_read(shop: Lab) -> None:
    (deployed,) = shop.carry(deploy("v1"))
    (job,) = shop.carry(Promote("shop", "development", "staging"))
    assert job.summary == "promote(staging): api v1 from development"
    assert f"From-Commit: {deployed.commit}" in git(shop.clone("shop").folder, "log", "-1", "--format=%B")
