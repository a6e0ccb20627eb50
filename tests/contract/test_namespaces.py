"""Reservations of namespaces, on a real Valkey."""

from adapters.records import (
    JobState,
    Outcome,
)
from gitops.changes import JobKind
from gitops.problems import (
    AlreadyExists,
)
from tests.support.redis_ports import RedisPorts, a_job, refusal


def test_a_namespace_is_kept_for_the_pair_that_asked_first(redis: RedisPorts) -> None:
    create = JobKind.ENVIRONMENT_CREATE
    redis.ledger.admit(a_job(create, "c", project="a-b"), [("a-b-c", "c")])
    redis.ledger.admit(a_job(create, "c", project="a-b"), [("a-b-c", "c")])
    problem = refusal(lambda: redis.ledger.admit(a_job(create, "b-c", project="a"), [("a-b-c", "b-c")]))
    assert isinstance(problem, AlreadyExists)
    assert (problem.what, problem.name) == ("namespace", "a-b-c")
    assert redis.ledger.unfinished(["a"])["a"] == []


def test_a_namespace_is_free_again_once_its_environment_is_forgotten(redis: RedisPorts) -> None:
    job = redis.ledger.admit(a_job(JobKind.ENVIRONMENT_CREATE, "c", project="a-b"), [("a-b-c", "c")])
    claim = redis.claim("a-b")
    redis.claims.record(claim, [Outcome(job.id, JobState.SUCCEEDED, commit="c0ffee")])
    redis.claims.release(claim)
    other = a_job(JobKind.ENVIRONMENT_CREATE, "b-c", project="a")
    assert isinstance(refusal(lambda: redis.ledger.admit(other, [("a-b-c", "b-c")])), AlreadyExists)
    redis.statuses.forget("a-b", ["c"])
    assert redis.ledger.admit(other, [("a-b-c", "b-c")]).number == 2


def test_a_creation_that_fails_gives_its_namespace_up_with_the_last_that_asked(redis: RedisPorts) -> None:
    first, second = (a_job(JobKind.ENVIRONMENT_CREATE, "c", project="a-b") for _ in range(2))
    other = a_job(JobKind.ENVIRONMENT_CREATE, "b-c", project="a")
    for job in (first, second):
        redis.ledger.admit(job, [("a-b-c", "c")])
    redis.ledger.cancel(first.id)
    assert isinstance(refusal(lambda: redis.ledger.admit(other, [("a-b-c", "b-c")])), AlreadyExists)
    redis.ledger.cancel(second.id)
    assert redis.ledger.admit(other, [("a-b-c", "b-c")]).state is JobState.QUEUED


def test_a_second_creation_that_fails_leaves_the_namespace_of_the_first(redis: RedisPorts) -> None:
    first, second = (a_job(JobKind.ENVIRONMENT_CREATE, "c", project="a-b") for _ in range(2))
    for job in (first, second):
        redis.ledger.admit(job, [("a-b-c", "c")])
    claim = redis.claim("a-b")
    redis.claims.record(claim, [Outcome(first.id, JobState.SUCCEEDED, commit="c0ffee")])
    redis.claims.release(claim)
    redis.ledger.cancel(second.id)
    other = a_job(JobKind.ENVIRONMENT_CREATE, "b-c", project="a")
    assert isinstance(refusal(lambda: redis.ledger.admit(other, [("a-b-c", "b-c")])), AlreadyExists)


def test_forgetting_leaves_the_namespace_of_a_queued_creation(redis: RedisPorts) -> None:
    redis.ledger.admit(a_job(JobKind.ENVIRONMENT_CREATE, "c", project="a-b"), [("a-b-c", "c")])
    redis.statuses.forget("a-b", ["c"])
    other = a_job(JobKind.ENVIRONMENT_CREATE, "b-c", project="a")
    assert isinstance(refusal(lambda: redis.ledger.admit(other, [("a-b-c", "b-c")])), AlreadyExists)


def test_forgetting_a_project_frees_its_own_namespaces_only(redis: RedisPorts) -> None:
    for project in ("a", "a-b"):
        job = redis.ledger.admit(a_job(JobKind.ENVIRONMENT_CREATE, "x", project=project), [(f"{project}-x", "x")])
        claim = redis.claim(project)
        redis.claims.record(claim, [Outcome(job.id, JobState.SUCCEEDED, commit="c0ffee")])
        redis.claims.release(claim)
    redis.statuses.forget("a")
    other = a_job(JobKind.ENVIRONMENT_CREATE, "b-x", project="a")
    assert isinstance(refusal(lambda: redis.ledger.admit(other, [("a-b-x", "b-x")])), AlreadyExists)
    assert redis.ledger.admit(other, [("a-x", "b-x")]).state is JobState.QUEUED


def test_a_forgotten_namespace_is_given_up_again_by_a_creation_that_fails(redis: RedisPorts) -> None:
    job = redis.ledger.admit(a_job(JobKind.ENVIRONMENT_CREATE, "c", project="a-b"), [("a-b-c", "c")])
    redis.finish(redis.claim("a-b"))
    redis.statuses.forget("a-b", ["c"])
    again = redis.ledger.admit(a_job(JobKind.ENVIRONMENT_CREATE, "c", project="a-b"), [("a-b-c", "c")])
    redis.ledger.cancel(again.id)
    assert redis.states(job, again) == [JobState.SUCCEEDED, JobState.CANCELED]
    other = a_job(JobKind.ENVIRONMENT_CREATE, "b-c", project="a")
    assert redis.ledger.admit(other, [("a-b-c", "b-c")]).state is JobState.QUEUED
