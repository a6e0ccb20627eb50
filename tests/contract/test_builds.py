"""Builds through the whole of Lucity but for the builder itself: real Git and Valkey, twins of source and registry."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from adapters.ports import StaleClaim
from adapters.records import JobRecord, JobState
from gitops import messages
from gitops.changes import ActorKind
from gitops.operations import AddService, Build, SetHold, UpdateService
from gitops.problems import GateClosed, InvalidInput, JobFailure, NotFound, Problem, Refused, Unavailable
from gitops.services import Source
from jobs.engine import carry_out
from jobs.tending import tend_until
from tests.fakes import FakeBuilder, FakeRegistry
from tests.support.build_shop import FILES, IMAGE, REGISTRY, URL, Shop, make_shop
from tests.support.lab import ANN, Lab
from tests.support.valkey import ValkeyServer

ROBOT = replace(ANN, id="tok_robot", name="ci", email="ci@example.org", kind=ActorKind.AUTOMATION)


class FakeBuilderThatDies(FakeBuilder):
    """The worker loses its claim right after the image is pushed."""

    def push(self, image: str, reference: str, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        super().push(image, reference, log, stopped)
        raise StaleClaim("this worker is gone")


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Shop]:
    with make_shop(tmp_path, valkey, FakeBuilder()) as made:
        yield made


def message(job: JobRecord, step: str) -> str:
    """What a step says."""
    return next(each.message or "" for each in job.steps if each.name == step)


def refused(lab: Lab, change: Build) -> Problem:
    with pytest.raises(Refused) as refusal:
        lab.admit(change)
    return refusal.value.problem


def test_a_build_makes_an_image_named_by_its_commit(shop: Shop) -> None:
    job = shop.build()
    assert (job.state, job.problem) == (JobState.SUCCEEDED, None)
    assert shop.tags() == {shop.sha[:7]}
    assert [step.name for step in job.steps] == ["source", "build", "push"]
    assert {step.state for step in job.steps} == {JobState.SUCCEEDED}
    order = shop.builder.orders[0]
    assert order.annotations["org.opencontainers.image.revision"] == shop.sha
    assert order.annotations["org.opencontainers.image.source"] == URL
    lines = [line.text for line in shop.lab.ports.events.log(job.id, 100, None).lines]
    assert "STEP 1/1: FROM scratch" in lines


def test_deploy_to_follows_as_a_job_and_a_commit_with_digest_and_source(shop: Shop) -> None:
    shop.build(Build("shop", "api", deploy_to=("development", "staging")))
    shop.lab.work("shop")
    digest = shop.builder.pushed[IMAGE][shop.sha[:7]]
    assert shop.image("development") == shop.image("staging") == (shop.sha[:7], digest)
    head = shop.lab.ports.repositories.head("shop") or ""
    log = shop.lab.ports.repositories.log("shop", None, head) or ()
    assert log[-1].subject == f"deploy(staging): api {shop.sha[:7]}"
    parsed = messages.parse(log[-1].message)
    assert parsed.first("Source-Revision") == f"api={shop.sha}"
    assert (parsed.first("Image") or "").endswith(digest)


def test_the_same_source_is_built_once_and_again_only_by_force(shop: Shop) -> None:
    shop.build()
    again = shop.build()
    assert len(shop.builder.orders) == 1
    assert "reused" in message(again, "build")
    forced = shop.build(Build("shop", "api", force=True))
    assert len(shop.builder.orders) == 2
    assert "reused" not in message(forced, "build")


def test_a_change_beside_the_context_reuses_the_image(shop: Shop) -> None:
    lab = shop.lab
    lab.carry(AddService("shop", "part", f"{REGISTRY}/shop/part", source=Source(URL, context_path="part")))
    shop.push({"part/Dockerfile": b"FROM scratch\n", "readme": b"1"})
    for _ in range(2):
        job = lab.admit(Build("shop", "part"))
        lab.work("shop/build/part")
        assert lab.job(job.id).state is JobState.SUCCEEDED
        shop.push({"part/Dockerfile": b"FROM scratch\n", "readme": b"2"})
    assert len(shop.builder.orders) == 1
    assert len(shop.builder.pushed[f"{REGISTRY}/shop/part"]) == 3  # one image, two commits


def test_a_build_that_fails_says_why_and_leaves_nothing(shop: Shop) -> None:
    shop.builder.exit_code = 3
    job = shop.build(Build("shop", "api", deploy_to=("development",)))
    assert isinstance(job.problem, JobFailure)
    assert "3" in job.problem.message
    assert next(step.state for step in job.steps if step.name == "build") is JobState.FAILED
    assert (shop.tags(), shop.image("development")) == (set(), None)


def test_what_ends_a_build_names_the_step_that_it_ended(shop: Shop) -> None:
    def end() -> None:
        raise Refused(JobFailure("the build takes longer than 60 s"))

    shop.builder.during = end
    assert shop.build().problem == JobFailure("the build takes longer than 60 s", "build")


def test_a_source_without_a_dockerfile_names_what_was_looked_for(shop: Shop) -> None:
    shop.push({"app.py": b"1"})
    job = shop.build()
    assert isinstance(job.problem, NotFound)
    assert (job.problem.what, "Dockerfile" in job.problem.name) == ("Dockerfile", True)


def test_a_revision_that_does_not_exist_is_not_found(shop: Shop) -> None:
    job = shop.build(Build("shop", "api", "v9"))
    assert isinstance(job.problem, NotFound)
    assert job.problem.name == "v9"


def test_what_cannot_be_built_is_refused_at_once(shop: Shop) -> None:
    lab = shop.lab
    assert isinstance(refused(lab, Build("shop", "web")), InvalidInput)
    assert isinstance(refused(lab, Build("shop", "ghost")), NotFound)
    assert isinstance(refused(lab, Build("shop", "api", deploy_to=("nowhere",))), NotFound)
    shop.builder.outage = "no buildah here"
    problem = refused(lab, Build("shop", "api"))
    assert isinstance(problem, Unavailable)
    assert "no buildah here" in problem.message
    lab.ports = replace(lab.ports, registry=None)
    assert isinstance(refused(lab, Build("shop", "api")), Unavailable)


def test_a_builder_that_stops_does_not_stop_builds_from_being_taken_for_another(shop: Shop) -> None:
    stopped = threading.Event()
    stopped.set()
    tend_until(shop.lab.ports, "leaving", stopped)
    shop.builder.outage = "no buildah here"
    assert shop.lab.admit(Build("shop", "api")).state is JobState.QUEUED


def test_an_image_elsewhere_is_refused_at_once_and_before_anything_is_cloned(shop: Shop) -> None:
    lab = shop.lab
    waiting = lab.admit(UpdateService("shop", "web", source=Source("https://git.example.org/ghost.git")))
    job = lab.admit(Build("shop", "web"))  # what it will be when its turn comes is not known yet
    lab.work("shop")
    assert lab.job(waiting.id).state is JobState.SUCCEEDED
    lab.work("shop/build/web")
    ended = lab.job(job.id)
    problem = refused(lab, Build("shop", "web"))
    assert isinstance(problem, InvalidInput)
    assert "elsewhere/web is not in the registry" in problem.message
    assert ended.problem == problem
    assert [(step.name, step.state) for step in ended.steps] == [("source", JobState.FAILED)]


def test_an_outage_between_two_steps_is_told_by_the_next_one(shop: Shop) -> None:
    registry = FakeRegistry(REGISTRY, shop.builder.pushed)
    registry.outage = "connection refused"
    shop.lab.ports = replace(shop.lab.ports, registry=registry)
    job = shop.build()
    assert [(step.name, step.state) for step in job.steps] == [
        ("source", JobState.SUCCEEDED),
        ("build", JobState.QUEUED),
    ]


def test_what_a_step_printed_stands_before_what_came_of_it(shop: Shop) -> None:
    job = shop.build()
    lines = [f"{line.stream}: {line.text}" for line in shop.lab.ports.events.log(job.id, 100, None).lines]
    steps = [place for place, line in enumerate(lines) if line.startswith("step: push")]
    assert lines.index("stdout: STEP 1/1: FROM scratch") < steps[0]
    assert len([line for line in lines[: steps[-1]] if not line.startswith("step")]) == len(
        [line for line in lines if not line.startswith("step")]
    )


def test_a_running_build_is_cancelled_and_pushes_nothing(shop: Shop) -> None:
    shop.builder.endless = True
    job = shop.lab.admit(Build("shop", "api"))
    shop.builder.during = partial(shop.lab.ports.ledger.cancel, job.id)  # type: ignore[assignment]
    assert shop.carry(job).state is JobState.CANCELED
    assert shop.tags() == set()


def test_a_build_is_cancelled_while_its_source_is_read(shop: Shop) -> None:
    job = shop.lab.admit(Build("shop", "api"))
    shop.sources.during = partial(shop.lab.ports.ledger.cancel, job.id)  # type: ignore[assignment]
    assert [(step.name, step.state) for step in shop.carry(job).steps] == [("source", JobState.CANCELED)]


def test_an_outage_returns_the_build_to_its_queue_and_says_so(shop: Shop) -> None:
    shop.builder.push_outage = "connection refused"
    job = shop.build()
    assert job.state is JobState.QUEUED
    assert "connection refused" in message(job, "push")
    shop.builder.push_outage = None
    shop.lab.ports.leases.drop("pause:shop/build/api")
    assert shop.carry(job).state is JobState.SUCCEEDED


def test_a_build_that_runs_again_after_its_push_keeps_its_image(tmp_path: Path, valkey: ValkeyServer) -> None:
    """The first worker is gone between the push and the record; the second one finds what it pushed."""
    with make_shop(tmp_path, valkey, FakeBuilderThatDies(), lease_seconds=0.3) as shop:
        job = shop.lab.admit(Build("shop", "api", force=True))
        assert carry_out(shop.lab.ports, "shop/build/api", "worker-1")
        (pushed,) = shop.builder.pushed[IMAGE].values()
        shop.lab.wait("the second try", lambda: shop.carry(job).state.ended or None)
        assert shop.lab.job(job.id).state is JobState.SUCCEEDED
        assert set(shop.builder.pushed[IMAGE].values()) == {pushed}
        assert len(shop.builder.orders) == 1


def test_a_later_push_supersedes_the_builds_before_it(shop: Shop) -> None:
    first, second = (shop.lab.admit(Build("shop", "api", None, ("development",), branch="main")) for _ in range(2))
    newest = shop.push({**FILES, "app.py": b"2"})
    shop.lab.work("shop/build/api")
    superseded = shop.lab.job(first.id)
    assert (superseded.state, superseded.superseded_by) == (JobState.SUPERSEDED, second.id)
    shop.lab.work("shop")
    assert shop.image("development") == (newest[:7], shop.builder.pushed[IMAGE][newest[:7]])
    assert len(shop.builder.orders) == 1


def test_a_push_that_came_late_builds_the_branch_as_it_is_and_deploys_nothing_old(shop: Shop) -> None:
    newest = shop.push({**FILES, "app.py": b"2"})
    shop.build(Build("shop", "api", newest, ("development",), branch="main"))
    shop.lab.work("shop")
    late = shop.build(Build("shop", "api", shop.sha, ("development",), branch="main"))
    assert (late.state, late.no_change) == (JobState.SUCCEEDED, True)
    shop.lab.work("shop")
    assert (shop.image("development") or ("", None))[0] == newest[:7]


def test_a_branch_that_went_back_while_its_deploy_waits_ends_at_its_head(shop: Shop) -> None:
    """What runs there is what the branch says again, but the deploy of what it said meanwhile is still to come."""
    push = Build("shop", "api", None, ("development",), branch="main")
    shop.build(push)
    shop.lab.work("shop")
    first = shop.image("development")
    shop.push({**FILES, "app.py": b"2"})
    shop.build(push)
    back = shop.push(FILES)
    assert shop.build(push).state is JobState.SUCCEEDED
    shop.lab.work("shop")
    assert first is not None
    assert (shop.image("development") or ("", None))[1] == first[1]
    settled = shop.build(push)
    assert (settled.no_change, settled.summary) == (True, f"build api {back[:7]}")


def test_a_request_is_built_at_its_ref_and_without_one_at_what_was_delivered(shop: Shop) -> None:
    delivered, ref = shop.push({**FILES, "app.py": b"2"}, "feature"), "refs/pull/7/head"
    shop.build(Build("shop", "api", delivered, ("development",), branch=ref))
    assert shop.tags() == {delivered[:7]}
    newest = shop.push({**FILES, "app.py": b"3"}, ref)
    shop.build(Build("shop", "api", delivered, ("development",), branch=ref))
    assert shop.tags() == {delivered[:7], newest[:7]}


def test_a_hold_stops_the_deploy_of_a_push_but_not_its_build(shop: Shop) -> None:
    held = shop.lab.admit(SetHold("shop", "development", ("api",)), reason="audit")
    shop.lab.work("shop")
    assert shop.lab.job(held.id).state is JobState.SUCCEEDED
    job = shop.lab.admit(Build("shop", "api", None, ("development", "staging"), branch="main"), actor=ROBOT)
    shop.carry(job)
    ended = shop.lab.job(job.id)
    assert ended.state is JobState.FAILED
    assert isinstance(ended.problem, GateClosed)
    told = message(ended, "deploy")
    assert told.startswith("staging by job_")
    assert told.endswith(f"development: {ended.problem.message}")
    shop.lab.work("shop")
    assert shop.image("development") is None
    assert (shop.image("staging") or ("", None))[0] == shop.sha[:7]


def test_builds_do_not_stand_in_the_way_of_commits(shop: Shop) -> None:
    build = shop.lab.admit(Build("shop", "api"))
    (added,) = shop.lab.carry(AddService("shop", "more", "elsewhere/more"))
    assert (added.state, shop.lab.job(build.id).state) == (JobState.SUCCEEDED, JobState.QUEUED)
    assert not carry_out(shop.lab.ports, "shop/build/web", "worker-1")
