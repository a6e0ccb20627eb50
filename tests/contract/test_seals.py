"""The point of no return and what is unconfirmed after it, on a real Valkey."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.records import ClaimMode, JobRecord, JobState, Outcome, Seal
from gitops.changes import JobKind
from gitops.problems import Refused
from tests.support.redis_ports import RedisPorts, a_job, ids, lose

CREATE, DELETE, DEPLOY = JobKind.ENVIRONMENT_CREATE, JobKind.ENVIRONMENT_DELETE, JobKind.DEPLOY


def test_a_seal_drops_what_was_cancelled_and_seals_nothing(redis: RedisPorts) -> None:
    first, second, third = redis.admit(a_job(), a_job(), a_job())
    claim = redis.claim()
    redis.ledger.cancel(second.id)
    assert redis.claims.seal(claim, ids(first, second, third)) == Seal(sealed=False, dropped=(second.id,))
    assert redis.states(first, second, third) == [JobState.RUNNING, JobState.CANCELED, JobState.RUNNING]
    assert redis.job(first).sealed_at is None
    assert redis.claims.seal(claim, ids(first, third)) == Seal(sealed=True)
    assert redis.job(first).sealed_at is not None


def test_a_seal_concerns_exactly_the_jobs_it_names(redis: RedisPorts) -> None:
    first, second = redis.admit(a_job(), a_job())
    claim = redis.claim()
    redis.ledger.cancel(second.id)
    assert redis.claims.seal(claim, [first.id]).sealed
    with pytest.raises(Refused):
        redis.ledger.cancel(first.id)


def test_of_cancel_and_seal_at_once_exactly_one_wins(redis: RedisPorts) -> None:
    jobs = redis.admit(*(a_job() for _ in range(30)))
    claim = redis.claim()

    def cancelled(job: JobRecord) -> bool:
        try:
            redis.ledger.cancel(job.id)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(cancelled, job) for job in jobs]
        sealed = {job.id for job in jobs if redis.claims.seal(claim, [job.id]).sealed}
    for job, answer in zip(jobs, asked, strict=True):
        assert answer.result() is (job.id not in sealed)


def test_unconfirmed_jobs_come_first_alone_and_only_to_look(redis: RedisPorts, hasty: RedisPorts) -> None:
    jobs = redis.admit(a_job(), a_job(), a_job(), a_job())
    claim = hasty.claim(limit=3)
    hasty.claims.seal(claim, ids(*jobs[:2]))
    hasty.expire(claim)
    look = redis.claim()
    assert (look.mode, ids(*look.jobs)) == (ClaimMode.LOOK, ids(*jobs[:2]))
    assert redis.states(*jobs) == [JobState.RUNNING, JobState.RUNNING, JobState.QUEUED, JobState.QUEUED]
    with pytest.raises(Refused):
        redis.ledger.cancel(jobs[0].id)


def test_an_unconfirmed_job_stays_so_through_releases_and_deaths(redis: RedisPorts, hasty: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    claim = hasty.claim()
    hasty.claims.seal(claim, [job.id])
    hasty.expire(claim)
    for _ in range(3):
        lose(hasty)
    claim = redis.claim()
    assert claim.mode is ClaimMode.LOOK
    redis.claims.release(claim)
    kept = redis.job(job)
    assert kept.state is JobState.RUNNING
    assert kept.sealed_at is not None
    assert kept.expired_claims == 4


def test_a_job_that_did_not_land_returns_to_the_queue_unsealed(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    claim = redis.claim()
    redis.claims.seal(claim, [job.id])
    redis.claims.record(claim, [Outcome(job.id, JobState.QUEUED)])
    redis.claims.release(claim)
    assert (redis.job(job).state, redis.job(job).sealed_at) == (JobState.QUEUED, None)
    assert redis.claim().mode is ClaimMode.APPLY
