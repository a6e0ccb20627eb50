"""Claims on a real Valkey: order, holds, seals, expiry, poison and races."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.ports import StaleClaim
from adapters.records import RECORD_VERSION, Claim, ClaimMode, JobRecord, JobState, Outcome, Seal, Step
from gitops.changes import JobKind
from gitops.problems import Conflict, ConflictCode, JobFailure, Refused
from tests.support.redis_ports import RedisPorts, a_job, redis_ports, until
from tests.support.valkey import ValkeyServer, valkey_server

CREATE, DELETE, DEPLOY = JobKind.ENVIRONMENT_CREATE, JobKind.ENVIRONMENT_DELETE, JobKind.DEPLOY


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with valkey_server() as running:
        yield running


@pytest.fixture
def redis(server: ValkeyServer) -> Iterator[RedisPorts]:
    ports = redis_ports(server.url)
    ports.client.flushall()
    yield ports
    ports.client.close()


@pytest.fixture
def hasty(server: ValkeyServer, redis: RedisPorts) -> Iterator[RedisPorts]:
    """The same Redis for a process whose claims expire at once."""
    ports = redis_ports(server.url, lease_seconds=0.05, push_timeout_seconds=0.05)
    yield ports
    ports.client.close()


def ids(*jobs: JobRecord) -> list[str]:
    return [job.id for job in jobs]


def claimed(ports: RedisPorts, lane: str = "shop", limit: int = 100) -> list[str]:
    """What a claim gets now; it is given back."""
    claim = ports.claims.claim(lane, "looking", limit)
    if claim is None:
        return []
    ports.claims.release(claim)
    return ids(*claim.jobs)


def lose(ports: RedisPorts, limit: int = 100) -> Claim:
    """A claim whose owner dies."""
    claim = ports.claim(limit=limit)
    ports.expire(claim)
    return claim


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


def test_a_heartbeat_extends_a_claim(server: ValkeyServer, redis: RedisPorts) -> None:
    redis.admit(a_job())
    short = redis_ports(server.url, lease_seconds=5)
    claim = short.claim()
    redis.claims.heartbeat(claim)
    expires = redis.client.zscore("lucity:claims", "shop")
    seconds, _ = redis.client.time()
    assert float(str(expires)) > (int(seconds) + 10) * 1000
    short.client.close()


def test_heartbeats_stop_at_the_hard_limit(server: ValkeyServer, redis: RedisPorts) -> None:
    redis.admit(a_job())
    limited = redis_ports(server.url, hard_limit_seconds=0.2, lease_seconds=0.1)
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
    assert claimed(redis) == ids(waits)


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
    assert "three times" in ended.problem.message
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


def test_nothing_follows_the_creation_of_a_project_in_its_claim(redis: RedisPorts) -> None:
    creation, *others = redis.admit(a_job(JobKind.PROJECT_CREATE, "development"), a_job(), a_job(DEPLOY, "development"))
    assert claimed(redis) == ids(creation)
    redis.land(creation)
    assert claimed(redis) == []
    (deletion,) = redis.admit(a_job(JobKind.PROJECT_DELETE))
    assert claimed(redis) == ids(deletion)
    redis.ledger.settle([Outcome(creation.id, JobState.SUCCEEDED)])
    assert claimed(redis) == ids(*others, deletion)


def test_a_deletion_of_the_project_passes_what_is_held(redis: RedisPorts) -> None:
    creation, _, deletion, behind = redis.admit(
        a_job(CREATE, "pr-1"), a_job(DEPLOY, "pr-1"), a_job(JobKind.PROJECT_DELETE), a_job()
    )
    redis.land(creation)
    claim = redis.claim()
    assert ids(*claim.jobs) == ids(deletion)
    redis.claims.record(claim, [Outcome(deletion.id, JobState.WAITING)])
    redis.claims.release(claim)
    ended = redis.job(creation)
    assert isinstance(ended.problem, Conflict)
    assert ended.problem.code is ConflictCode.BEING_DELETED
    assert behind.id in claimed(redis)


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
    server: ValkeyServer, redis: RedisPorts
) -> None:
    patient = redis_ports(server.url, lease_seconds=0.05, push_timeout_seconds=1000)
    (job,) = patient.admit(a_job())
    claim = patient.claim()
    patient.claims.seal(claim, [job.id])
    patient.expire(claim)
    assert patient.claims.sweep(1000) == ["shop"]
    assert patient.claims.sweep(1000) == []
    assert redis.claims.release(redis.claim()) is False
    until(lambda: redis.claims.sweep(0.01) == ["shop"], "a ring for the push that is over")
    patient.client.close()


def test_a_lease_has_one_holder_until_it_is_given_up_or_expires(redis: RedisPorts) -> None:
    assert redis.leases.acquire("observer", "a", 60)
    assert redis.leases.acquire("observer", "a", 60)
    assert not redis.leases.acquire("observer", "b", 60)
    redis.leases.release("observer", "b")
    assert not redis.leases.acquire("observer", "b", 60)
    redis.leases.release("observer", "a")
    assert redis.leases.acquire("observer", "b", 0.05)
    until(lambda: redis.leases.acquire("observer", "a", 60), "the lease to expire")
