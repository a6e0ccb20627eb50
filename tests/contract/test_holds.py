"""Which jobs a WAITING one holds back and which pass, on a real Valkey."""

from adapters.records import (
    RECORD_VERSION,
    JobRecord,
    JobState,
    Outcome,
    Step,
)
from gitops.changes import JobKind
from gitops.problems import (
    Conflict,
    ConflictCode,
)
from tests.support.redis_ports import RedisPorts, a_job, ids

CREATE, DELETE, DEPLOY = JobKind.ENVIRONMENT_CREATE, JobKind.ENVIRONMENT_DELETE, JobKind.DEPLOY


def claimed(ports: RedisPorts, lane: str = "shop", limit: int = 100) -> list[str]:
    """What a claim gets now; it is given back."""
    claim = ports.claims.claim(lane, "looking", limit)
    if claim is None:
        return []
    ports.claims.release(claim)
    return ids(*claim.jobs)


def test_a_waiting_creation_holds_its_environment_and_what_queues_behind_it(redis: RedisPorts) -> None:
    creation, held, promotion, behind, free, everywhere = redis.admit(
        a_job(CREATE, "pr-1", "development"),
        a_job(DEPLOY, "pr-1"),
        a_job(JobKind.PROMOTE, "staging", "pr-1"),
        a_job(DEPLOY, "staging"),
        a_job(DEPLOY, "development"),
        a_job(JobKind.CONFIG),
    )
    redis.land(creation)
    assert claimed(redis) == ids(free, everywhere)
    redis.ledger.settle([Outcome(creation.id, JobState.SUCCEEDED)])
    assert claimed(redis) == ids(held, promotion, behind, free, everywhere)


def test_nothing_of_an_environment_joins_the_claim_of_its_creation_or_deletion(redis: RedisPorts) -> None:
    jobs = redis.admit(
        a_job(CREATE, "pr-1", "development"),
        a_job(DEPLOY, "pr-1"),
        a_job(DEPLOY, "development"),
        a_job(DELETE, "pr-2"),
        a_job(CREATE, "pr-2"),
    )
    assert claimed(redis) == ids(jobs[0], jobs[2], jobs[3])


def test_the_creation_of_a_project_holds_back_what_is_about_an_environment(redis: RedisPorts) -> None:
    creation, *others = redis.admit(a_job(JobKind.PROJECT_CREATE, "development"), a_job(), a_job(DEPLOY, "development"))
    assert claimed(redis) == ids(creation)
    redis.land(creation)
    assert claimed(redis) == ids(others[0])
    (deletion,) = redis.admit(a_job(JobKind.PROJECT_DELETE))
    assert claimed(redis) == ids(*others, deletion)
    redis.ledger.settle([Outcome(creation.id, JobState.SUCCEEDED)])
    assert claimed(redis) == ids(*others, deletion)


def test_a_deletion_of_the_project_takes_along_what_is_held_ahead_of_it(redis: RedisPorts) -> None:
    creation, ahead, deletion, behind = redis.admit(
        a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"), a_job(JobKind.PROJECT_DELETE), a_job()
    )
    redis.land(creation)
    claim = redis.claim()
    assert ids(*claim.jobs) == ids(ahead, deletion)
    redis.claims.record(claim, [Outcome(ahead.id, JobState.SUCCEEDED), Outcome(deletion.id, JobState.WAITING)])
    redis.claims.release(claim)
    ended = redis.job(creation)
    assert isinstance(ended.problem, Conflict)
    assert ended.problem.code is ConflictCode.BEING_DELETED
    assert behind.id in claimed(redis)


def test_a_deletion_of_the_project_does_not_overtake_what_its_claim_leaves_for_the_next(redis: RedisPorts) -> None:
    creation, ahead, deletion = redis.admit(a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"), a_job(JobKind.PROJECT_DELETE))
    assert claimed(redis) == ids(creation)
    redis.land(creation)
    assert claimed(redis) == ids(ahead, deletion)


def test_a_project_deleted_created_and_deleted_again_ends_deleted(redis: RedisPorts) -> None:
    first, creation, second = redis.admit(
        a_job(JobKind.PROJECT_DELETE), a_job(JobKind.PROJECT_CREATE), a_job(JobKind.PROJECT_DELETE)
    )
    redis.land(first)
    assert claimed(redis) == []
    redis.ledger.settle([Outcome(first.id, JobState.SUCCEEDED)])
    assert claimed(redis) == ids(creation)
    redis.land(creation)
    assert claimed(redis) == ids(second)


def tried(job: JobRecord) -> Outcome:
    return Outcome(job.id, JobState.WAITING, steps=(Step("application", JobState.RUNNING, "the namespace is going"),))


def test_a_deletion_and_what_is_ahead_of_it_pass_a_creation_that_was_tried(redis: RedisPorts) -> None:
    creation, ahead, deletion, behind = redis.admit(
        a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"), a_job(DELETE, "pr-1"), a_job(CREATE, "pr-1")
    )
    redis.land(creation)
    assert claimed(redis) == []
    redis.ledger.settle([tried(creation)])
    claim = redis.claim()
    assert ids(*claim.jobs) == ids(ahead, deletion)
    redis.claims.record(claim, [Outcome(ahead.id, JobState.SUCCEEDED), Outcome(deletion.id, JobState.WAITING)])
    redis.claims.release(claim)
    ended = redis.job(creation)
    assert ended.state is JobState.FAILED
    assert isinstance(ended.problem, Conflict)
    assert (ended.problem.code, ended.problem.job_id) == (ConflictCode.BEING_DELETED, deletion.id)
    assert claimed(redis) == []
    redis.ledger.settle([Outcome(deletion.id, JobState.SUCCEEDED)])
    assert claimed(redis) == ids(behind)


def test_without_a_deletion_a_creation_that_was_tried_still_holds(redis: RedisPorts) -> None:
    creation, _ = redis.admit(a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"))
    redis.land(creation)
    redis.ledger.settle([tried(creation)])
    assert claimed(redis) == []


def test_a_deletion_passes_a_creation_that_nobody_tried_for_long(redis: RedisPorts) -> None:
    creation, deletion = redis.admit(a_job(CREATE, "pr-1"), a_job(DELETE, "pr-1"))
    redis.land(creation)
    assert claimed(redis) == []
    key = f"lucity:job:{creation.id}"
    redis.client.hset(key, "waiting_at", int(str(redis.client.hget(key, "waiting_at"))) - 6000)
    assert claimed(redis) == ids(deletion)


def test_a_deletion_takes_along_what_two_waiting_creations_hold_in_order(redis: RedisPorts) -> None:
    one, two, deploy, promotion, deletion, behind = redis.admit(
        a_job(CREATE, "pr-1"),
        a_job(CREATE, "pr-2"),
        a_job(DEPLOY, "pr-2"),
        a_job(JobKind.PROMOTE, "pr-2", "pr-1"),
        a_job(DELETE, "pr-1"),
        a_job(DEPLOY, "pr-2"),
    )
    claim = redis.claim()
    assert ids(*claim.jobs) == ids(one, two)
    redis.claims.record(claim, [Outcome(job.id, JobState.WAITING) for job in claim.jobs])
    redis.claims.release(claim)
    redis.ledger.settle([tried(one), tried(two)])
    assert claimed(redis) == ids(deploy, promotion, deletion)
    assert behind.id not in claimed(redis)


def test_a_newer_record_is_left_alone_with_what_must_stay_behind_it(redis: RedisPorts) -> None:
    newer, behind, other = redis.admit(
        a_job(DEPLOY, "development", version=RECORD_VERSION + 1), a_job(DEPLOY, "development"), a_job(DEPLOY, "staging")
    )
    assert ids(*redis.claim().jobs) == ids(other)
    assert redis.states(newer, behind) == [JobState.QUEUED, JobState.QUEUED]
