"""Claims on a real Valkey: order, holds, seals, expiry, poison and races."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.ports import StaleClaim
from adapters.records import ClaimMode, JobState, Outcome, Seal, Step
from gitops.changes import JobKind
from gitops.problems import Conflict, ConflictCode, JobFailure
from tests.support.redis_ports import RedisPorts, a_job, ids, lose, redis_ports, until
from tests.support.valkey import ValkeyServer

CREATE, DELETE, DEPLOY = JobKind.ENVIRONMENT_CREATE, JobKind.ENVIRONMENT_DELETE, JobKind.DEPLOY


def test_a_claim_takes_jobs_in_order_up_to_its_limit(redis: RedisPorts) -> None:
    start = redis.events.position()
    jobs = redis.admit(*(a_job() for _ in range(4)))
    claim = redis.claim(limit=3)
    assert ids(*claim.jobs) == ids(*jobs[:3])
    assert (claim.project, claim.owner, claim.mode, claim.fence) == ("shop", "worker", ClaimMode.APPLY, 1)
    assert {(job.state, job.attempts) for job in claim.jobs} == {(JobState.RUNNING, 1)}
    assert all(job.started_at is not None for job in claim.jobs)
    assert redis.job(jobs[0]) == claim.jobs[0]
    assert redis.job_states_told(jobs[0], start) == [JobState.QUEUED, JobState.RUNNING]
    assert redis.job_states_told(jobs[3], start) == [JobState.QUEUED]


def test_an_empty_queue_gives_no_claim(redis: RedisPorts) -> None:
    assert redis.claims.claim("shop", "worker", 5) is None


def test_of_many_workers_at_once_one_gets_the_claim(redis: RedisPorts) -> None:
    redis.admit(*(a_job() for _ in range(5)))
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda owner: redis.claims.claim("shop", f"worker-{owner}", 2), range(20)))
    assert len([claim for claim in answers if claim is not None]) == 1


def test_projects_and_syncs_do_not_stand_in_each_others_way(redis: RedisPorts) -> None:
    shop, sync, blog = redis.admit(a_job(), a_job(JobKind.SYNC, "development"), a_job(project="blog"))
    assert ids(*redis.claim("shop").jobs) == ids(shop)
    assert ids(*redis.claim("shop/sync").jobs) == ids(sync)
    assert ids(*redis.claim("blog").jobs) == ids(blog)


def test_what_is_released_returns_to_its_place_and_keeps_its_first_start(redis: RedisPorts) -> None:
    jobs = redis.admit(a_job(), a_job())
    first = redis.claim(limit=1)
    assert redis.claims.release(first) is True
    assert redis.states(*jobs) == [JobState.QUEUED, JobState.QUEUED]
    again = redis.claim()
    assert ids(*again.jobs) == ids(*jobs)
    assert again.jobs[0].attempts == 2
    assert again.jobs[0].expired_claims == 0
    assert again.jobs[0].started_at == first.jobs[0].started_at
    assert again.fence == first.fence + 1


def test_a_release_says_whether_more_can_be_claimed(redis: RedisPorts) -> None:
    redis.admit(a_job(), a_job())
    claim = redis.claim(limit=1)
    redis.claims.record(claim, [Outcome(claim.jobs[0].id, JobState.SUCCEEDED)])
    assert redis.claims.release(claim) is True
    claim = redis.claim(limit=1)
    redis.claims.record(claim, [Outcome(claim.jobs[0].id, JobState.SUCCEEDED)])
    assert redis.claims.release(claim) is False


def test_outcomes_are_recorded_with_all_they_say_and_their_events(redis: RedisPorts) -> None:
    start = redis.events.position()
    landed, failed, returned = redis.admit(a_job(), a_job(), a_job())
    claim = redis.claim()
    step = Step("commit", JobState.SUCCEEDED, "pushed", landed.created_at, landed.created_at)
    problem = Conflict("changed", ConflictCode.CHANGED_SINCE, head="beef", paths=("a", "b"), commits=("c1",))
    redis.claims.record(
        claim,
        [
            Outcome(landed.id, JobState.SUCCEEDED, "deploy(x): api 1", "c0ffee", "beef", no_change=True, steps=(step,)),
            Outcome(failed.id, JobState.FAILED, problem=problem, head="beef"),
            Outcome(returned.id, JobState.QUEUED, steps=(Step("commit", JobState.QUEUED, "the host is away"),)),
        ],
    )
    first, second, third = (redis.job(job) for job in (landed, failed, returned))
    assert (first.summary, first.commit, first.head, first.no_change) == ("deploy(x): api 1", "c0ffee", "beef", True)
    assert first.steps == (step,)
    assert first.finished_at is not None
    assert (second.state, second.problem, second.commit) == (JobState.FAILED, problem, None)
    assert (third.state, third.finished_at) == (JobState.QUEUED, None)
    assert third.steps[0].message == "the host is away"
    *_, one, two, three = redis.told(start)
    assert [one.job, two.job, three.job] == [first, second, third]
    assert one.head == "beef"


def test_a_batch_of_250_outcomes_is_recorded_at_once(redis: RedisPorts) -> None:
    jobs = redis.admit(*(a_job() for _ in range(250)))
    claim = redis.claim(limit=250)
    start = redis.events.position()
    assert redis.claims.seal(claim, ids(*jobs)) == Seal(sealed=True)
    redis.finish(claim)
    assert [event.job.id for event in redis.told(start) if event.job] == ids(*jobs)
    assert redis.ledger.unfinished(["shop"])["shop"] == []


def test_a_claim_that_another_took_over_can_do_nothing(redis: RedisPorts, hasty: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    stale = lose(hasty)
    fresh = redis.claim(owner="other")
    start = redis.events.position()
    with pytest.raises(StaleClaim):
        redis.claims.heartbeat(stale)
    with pytest.raises(StaleClaim):
        redis.claims.seal(stale, [job.id])
    with pytest.raises(StaleClaim):
        redis.claims.record(stale, [Outcome(job.id, JobState.FAILED)])
    assert redis.claims.release(stale) is False
    assert redis.told(start) == []
    redis.claims.record(fresh, [Outcome(job.id, JobState.SUCCEEDED)])
    assert redis.states(job) == [JobState.SUCCEEDED]


def test_an_expired_claim_can_do_nothing_before_anybody_took_over(redis: RedisPorts, hasty: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    stale = lose(hasty)
    with pytest.raises(StaleClaim):
        hasty.claims.seal(stale, [job.id])
    with pytest.raises(StaleClaim):
        hasty.claims.record(stale, [Outcome(job.id, JobState.SUCCEEDED)])
    assert redis.states(job) == [JobState.RUNNING]


def test_an_outcome_of_a_job_that_the_claim_does_not_hold_writes_nothing(redis: RedisPorts) -> None:
    mine, not_mine = redis.admit(a_job(), a_job())
    claim = redis.claim(limit=1)
    outcomes = [Outcome(mine.id, JobState.SUCCEEDED), Outcome(not_mine.id, JobState.SUCCEEDED)]
    with pytest.raises(StaleClaim):
        redis.claims.record(claim, outcomes)
    assert redis.states(mine, not_mine) == [JobState.RUNNING, JobState.QUEUED]


def test_a_heartbeat_extends_a_claim(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.admit(a_job())
    short = redis_ports(valkey.url, lease_seconds=5)
    claim = short.claim()
    redis.claims.heartbeat(claim)
    expires = redis.client.zscore("lucity:claims", "shop")
    seconds, _ = redis.client.time()
    assert float(str(expires)) > (int(seconds) + 10) * 1000
    short.client.close()


def test_heartbeats_stop_at_the_hard_limit(valkey: ValkeyServer, redis: RedisPorts) -> None:
    redis.admit(a_job())
    limited = redis_ports(valkey.url, hard_limit_seconds=0.2, lease_seconds=0.1)
    claim = limited.claim()

    def refused() -> bool:
        try:
            limited.claims.heartbeat(claim)
        except StaleClaim:
            return True
        return False

    until(refused, "a heartbeat to be refused")
    assert ids(*redis.claim().jobs) == ids(*claim.jobs)
    limited.client.close()


def test_after_an_expiry_its_jobs_come_one_at_a_time_and_then_together_again(
    redis: RedisPorts, hasty: RedisPorts
) -> None:
    start = redis.events.position()
    first, second = redis.admit(a_job(), a_job())
    lose(hasty)
    third, fourth = redis.admit(a_job(), a_job())
    for job in (first, second):
        claim = redis.claim()
        assert ids(*claim.jobs) == ids(job)
        assert claim.jobs[0].expired_claims == 1
        redis.finish(claim)
    assert ids(*redis.claim().jobs) == ids(third, fourth)
    assert redis.job_states_told(first, start) == [
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.SUCCEEDED,
    ]


def test_a_run_stops_before_a_job_whose_claim_expired(redis: RedisPorts, hasty: RedisPorts) -> None:
    creation, waits, lost = redis.admit(a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"), a_job(DEPLOY, "staging"))
    redis.land(creation)
    assert ids(*lose(hasty).jobs) == ids(lost)
    redis.ledger.settle([Outcome(creation.id, JobState.SUCCEEDED)])
    assert ids(*redis.claim().jobs) == ids(waits)


def test_a_job_that_kills_its_worker_three_times_fails_and_the_project_goes_on(
    redis: RedisPorts, hasty: RedisPorts
) -> None:
    poison, healthy = redis.admit(a_job(), a_job())
    for _ in range(3):
        assert lose(hasty, limit=1).jobs[0].id == poison.id
    assert ids(*redis.claim().jobs) == ids(healthy)
    ended = redis.job(poison)
    assert ended.state is JobState.FAILED
    assert isinstance(ended.problem, JobFailure)
    assert "again and again" in ended.problem.message
    assert (ended.expired_claims, ended.attempts) == (3, 3)


def test_a_graceful_return_is_no_death(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    for _ in range(4):
        redis.claims.release(redis.claim())
    assert (redis.job(job).state, redis.job(job).expired_claims) == (JobState.QUEUED, 0)


def test_a_cancel_of_a_job_whose_worker_died_is_honoured(redis: RedisPorts, hasty: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    claim = hasty.claim()
    redis.ledger.cancel(job.id)
    redis.expire(claim)
    redis.claims.sweep(1)
    assert redis.states(job) == [JobState.CANCELED]


def test_a_sweep_returns_what_expired_and_names_the_lanes_to_ring(redis: RedisPorts, hasty: RedisPorts) -> None:
    lost, sync = redis.admit(a_job(), a_job(JobKind.SYNC, "development"))
    redis.admit(a_job(project="busy"), a_job(project="busy"), a_job(project="idle"))
    busy = redis.claim("busy", limit=1)
    redis.finish(redis.claim("idle"))
    hasty.expire(hasty.claim())
    assert redis.claims.sweep(1) == ["shop", "shop/sync"]
    assert redis.states(lost, sync) == [JobState.QUEUED, JobState.QUEUED]
    assert redis.job(lost).expired_claims == 1
    redis.claims.release(busy)
    assert "busy" in redis.claims.sweep(1)


def test_a_lane_whose_jobs_are_all_held_is_not_rung(redis: RedisPorts) -> None:
    creation, _ = redis.admit(a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"))
    redis.land(creation)
    assert redis.claims.sweep(1) == []


def test_unconfirmed_jobs_are_rung_when_found_and_again_when_their_push_is_over(
    valkey: ValkeyServer, redis: RedisPorts
) -> None:
    patient = redis_ports(valkey.url, lease_seconds=0.05, push_timeout_seconds=1000)
    (job,) = patient.admit(a_job())
    claim = patient.claim()
    patient.claims.seal(claim, [job.id])
    patient.expire(claim)
    assert patient.claims.sweep(1000) == ["shop"]
    assert patient.claims.sweep(1000) == []
    assert redis.claims.release(redis.claim()) is False
    until(lambda: redis.claims.sweep(0.01) == ["shop"], "a ring for the push that is over")
    patient.client.close()
