"""Admission, reading, listing and cancelling of jobs, on a real Valkey."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from adapters.ports import Unreachable
from adapters.records import EventKind, JobFilter, JobRecord, JobState, Outcome, Step
from adapters.redis_client import check
from gitops.changes import Actor, JobKind
from gitops.problems import (
    AlreadyExists,
    Conflict,
    ConflictCode,
    InvalidInput,
    JobFailure,
    NotFound,
    RateLimited,
    Refused,
)
from tests.support.redis_ports import RedisPorts, a_job, redis_ports
from tests.support.valkey import ValkeyServer, valkey_server


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


def refusal(action: object) -> object:
    assert callable(action)
    with pytest.raises(Refused) as caught:
        action()
    return caught.value.problem


def test_an_admitted_job_reads_back_as_it_was_with_a_number(redis: RedisPorts) -> None:
    job = a_job(JobKind.PROMOTE, "staging", "development", reason="it's time", expected_head="abc", keyed=True)
    admitted = redis.ledger.admit(job)
    assert admitted == replace(job, number=1)
    assert redis.job(job) == admitted


def test_admission_and_its_event_are_one(redis: RedisPorts) -> None:
    start = redis.events.position()
    (job,) = redis.admit(a_job(JobKind.DEPLOY, "development"))
    (event,) = redis.told(start)
    assert (event.kind, event.project, event.environment) == (EventKind.JOB, "shop", "development")
    assert event.job == job


def test_the_same_key_fifty_times_at_once_is_one_job(redis: RedisPorts) -> None:
    job = a_job(JobKind.DEPLOY, "development", keyed=True)
    start = redis.events.position()
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(redis.ledger.admit, [job] * 50))
    assert {answer.number for answer in answers} == {1}
    assert len(redis.told(start)) == 1
    assert [it.id for it in redis.ledger.unfinished(["shop"])["shop"]] == [job.id]


def test_a_repeated_admission_answers_the_job_as_it_is_now(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    redis.finish(redis.claim())
    assert redis.ledger.admit(job).state is JobState.SUCCEEDED


def test_a_key_used_for_something_else_is_refused(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    problem = refusal(lambda: redis.ledger.admit(replace(job, fingerprint="other")))
    assert isinstance(problem, Conflict)
    assert (problem.code, problem.job_id) == (ConflictCode.KEY_REUSED, job.id)


def test_numbers_of_concurrent_admissions_are_the_order_of_the_queue(redis: RedisPorts) -> None:
    with ThreadPoolExecutor(8) as threads:
        admitted = list(threads.map(redis.ledger.admit, [a_job() for _ in range(40)]))
    in_order = sorted(admitted, key=lambda job: job.number)
    assert [job.number for job in in_order] == list(range(1, 41))
    assert [job.id for job in redis.claim().jobs] == [job.id for job in in_order]


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


def test_a_full_queue_refuses_and_takes_again_when_a_job_ended(server: ValkeyServer, redis: RedisPorts) -> None:
    small = redis_ports(server.url, queue_jobs=2)
    first, _ = small.admit(a_job(), a_job())
    problem = refusal(lambda: small.ledger.admit(a_job()))
    assert isinstance(problem, RateLimited)
    assert problem.retry_after_seconds > 0
    small.ledger.admit(a_job(project="other"))
    small.ledger.cancel(first.id)
    assert small.ledger.admit(a_job()).state is JobState.QUEUED
    small.client.close()


def test_a_queue_of_too_many_bytes_refuses_until_they_are_done(server: ValkeyServer, redis: RedisPorts) -> None:
    small = redis_ports(server.url, queue_bytes=60_000)
    (large,) = small.admit(a_job(change="x" * 40_000))
    assert isinstance(refusal(lambda: small.ledger.admit(a_job(change="x" * 40_000))), RateLimited)
    small.ledger.cancel(large.id)
    assert small.ledger.admit(a_job(change="x" * 40_000)).state is JobState.QUEUED
    small.client.close()


def test_a_full_queue_still_answers_a_repeated_admission(server: ValkeyServer, redis: RedisPorts) -> None:
    small = redis_ports(server.url, queue_jobs=1)
    (job,) = small.admit(a_job())
    assert small.ledger.admit(job).id == job.id
    small.client.close()


def test_jobs_are_got_by_id_and_unknown_ones_are_absent(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    assert redis.ledger.get([job.id, "job_unknown"]) == {job.id: job}
    assert redis.ledger.get([]) == {}


def test_unfinished_jobs_of_many_projects_come_in_admission_order(redis: RedisPorts) -> None:
    waiting, sync, queued, ended = redis.admit(
        a_job(JobKind.ENVIRONMENT_CREATE, "pr-1"), a_job(JobKind.SYNC, "pr-2"), a_job(), a_job()
    )
    redis.land(waiting)
    redis.ledger.cancel(ended.id)
    answer = redis.ledger.unfinished(["shop", "unknown"])
    assert [job.id for job in answer["shop"]] == [waiting.id, sync.id, queued.id]
    assert [job.state for job in answer["shop"]] == [JobState.WAITING, JobState.QUEUED, JobState.QUEUED]
    assert answer["unknown"] == []
    assert redis.ledger.unfinished([]) == {}


def test_pages_come_newest_first_and_join_without_gap_or_double(redis: RedisPorts) -> None:
    jobs = redis.admit(*(a_job() for _ in range(7)))
    seen: list[JobRecord] = []
    after, has_next = None, True
    while has_next:
        page = redis.ledger.page(JobFilter(), 3, after)
        seen += page.jobs
        after, has_next = page.jobs[-1].id, page.has_next
    assert seen == jobs[::-1]


def test_a_page_that_ends_exactly_has_no_next(redis: RedisPorts) -> None:
    redis.admit(a_job(), a_job())
    assert redis.ledger.page(JobFilter(), 2, None).has_next is False


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (JobFilter(project="shop"), [0, 1, 2]),
        (JobFilter(environment="staging"), [1, 3]),
        (JobFilter(environment="stag"), []),
        (JobFilter(service="web"), [2]),
        (JobFilter(actor="GRACE"), [3]),
        (JobFilter(actor="ada@"), [0, 1, 2]),
        (JobFilter(kinds=(JobKind.DEPLOY, JobKind.CONFIG)), [0, 2]),
        (JobFilter(states=(JobState.CANCELED,)), [0]),
        (JobFilter(states=(JobState.QUEUED,)), [1, 2, 3]),
        (JobFilter(states=(JobState.QUEUED, JobState.CANCELED), project="shop"), [0, 1, 2]),
        (
            JobFilter(states=(JobState.QUEUED,), kinds=(JobKind.PROMOTE,), project="shop", environment="development"),
            [1],
        ),
    ],
)
def test_every_condition_of_a_filter_must_hold(redis: RedisPorts, where: JobFilter, expected: list[int]) -> None:
    grace = Actor("tok_2", "Grace Höpper", "grace@example.com")
    jobs = redis.admit(
        a_job(JobKind.DEPLOY, "development"),
        a_job(JobKind.PROMOTE, "staging", "development"),
        a_job(JobKind.CONFIG, services=("api", "web")),
        a_job(JobKind.SYNC, "staging", project="other", actor=grace),
    )
    redis.ledger.cancel(jobs[0].id)
    found = redis.ledger.page(where, 10, None).jobs
    assert (
        sorted(
            jobs.index(replace(job, state=JobState.QUEUED, finished_at=None, cancel_requested=False)) for job in found
        )
        == expected
    )


def test_a_rare_job_is_found_behind_thousands_of_others(redis: RedisPorts) -> None:
    (rare,) = redis.admit(a_job(JobKind.CHART))
    pipeline = redis.client.pipeline(transaction=False)
    fields = redis.client.hgetall(f"lucity:job:{rare.id}")
    for number in range(10, 4_500):
        pipeline.hset(f"lucity:job:{number}", mapping={**fields, "kind": "DEPLOY"})
        pipeline.zadd("lucity:jobs", {str(number): number})
    pipeline.execute()
    assert redis.ledger.page(JobFilter(kinds=(JobKind.CHART,)), 5, None).jobs == (rare,)


def test_a_cursor_of_no_job_is_refused(redis: RedisPorts) -> None:
    assert isinstance(refusal(lambda: redis.ledger.page(JobFilter(), 5, "job_unknown")), InvalidInput)


def test_a_queued_job_is_canceled_at_once(redis: RedisPorts) -> None:
    start = redis.events.position()
    (job,) = redis.admit(a_job())
    canceled = redis.ledger.cancel(job.id)
    assert canceled.state is JobState.CANCELED
    assert canceled.finished_at is not None
    assert redis.job_states_told(job, start) == [JobState.QUEUED, JobState.CANCELED]
    assert redis.claims.claim("shop", "worker", 5) is None


def test_a_running_job_is_asked_to_cancel_and_goes_with_the_return_of_its_claim(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    claim = redis.claim()
    assert redis.ledger.cancel(job.id).state is JobState.RUNNING
    assert redis.job(job).cancel_requested
    redis.claims.release(claim)
    assert redis.states(job) == [JobState.CANCELED]


def test_what_is_sealed_waiting_ended_or_unknown_cannot_be_canceled(redis: RedisPorts) -> None:
    waiting, sealed, ended = redis.admit(a_job(JobKind.ENVIRONMENT_CREATE, "pr-1"), a_job(), a_job())
    redis.ledger.cancel(ended.id)
    redis.land(waiting)
    redis.claims.seal(redis.claim(), [sealed.id])
    codes = [refusal(lambda it=it: redis.ledger.cancel(it.id)) for it in (waiting, sealed, ended)]
    assert [it.code for it in codes if isinstance(it, Conflict)] == [
        ConflictCode.PUSHING,
        ConflictCode.PUSHING,
        ConflictCode.JOB_ENDED,
    ]
    assert isinstance(refusal(lambda: redis.ledger.cancel("job_unknown")), NotFound)


def test_a_waiting_job_moves_on_with_its_steps_and_ends(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job(JobKind.ENVIRONMENT_CREATE, "pr-1"))
    redis.land(job)
    start = redis.events.position()
    step = Step("application", JobState.RUNNING, "not yet healthy", job.created_at)
    redis.ledger.settle([Outcome(job.id, JobState.WAITING, steps=(step,))])
    assert redis.job(job).steps == (step,)
    redis.ledger.settle([Outcome(job.id, JobState.FAILED, problem=JobFailure("too late", "application"))])
    ended = redis.job(job)
    assert (ended.state, ended.commit, ended.problem) == (
        JobState.FAILED,
        "c0ffee",
        JobFailure("too late", "application"),
    )
    assert ended.steps == (step,)
    assert redis.job_states_told(job, start) == [JobState.WAITING, JobState.FAILED]


def test_a_job_no_longer_waiting_is_left_alone(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    start = redis.events.position()
    redis.ledger.settle([Outcome(job.id, JobState.SUCCEEDED), Outcome("job_unknown", JobState.SUCCEEDED)])
    assert redis.states(job) == [JobState.QUEUED]
    assert redis.told(start) == []


def test_ended_jobs_over_the_number_kept_go_oldest_first_but_keyed_ones_stay(
    server: ValkeyServer, redis: RedisPorts
) -> None:
    small = redis_ports(server.url, jobs_kept=2)
    keyed, *others = small.admit(a_job(keyed=True), *(a_job() for _ in range(4)))
    small.finish(small.claim())
    assert set(small.ledger.get([keyed.id, *(job.id for job in others)])) == {keyed.id, others[-1].id}
    assert [job.id for job in small.ledger.page(JobFilter(), 10, None).jobs] == [others[-1].id, keyed.id]
    small.client.close()


def test_the_sweep_forgets_old_ended_jobs_and_never_unfinished_or_keyed_ones(
    server: ValkeyServer, redis: RedisPorts
) -> None:
    forgetful = redis_ports(server.url, job_days=0)
    keyed, ended = forgetful.admit(a_job(keyed=True), a_job())
    forgetful.finish(forgetful.claim())
    (queued,) = forgetful.admit(a_job())
    forgetful.events.append_log(ended.id, [("stdout", "hello")])
    forgetful.claims.sweep(1)
    assert set(forgetful.ledger.get([keyed.id, ended.id, queued.id])) == {keyed.id, queued.id}
    assert forgetful.events.log(ended.id, 10, None).lines == ()
    forgetful.client.close()


def test_a_key_is_kept_seven_days_and_no_longer(server: ValkeyServer, redis: RedisPorts) -> None:
    forgetful = redis_ports(server.url, job_days=0)
    (keyed,) = forgetful.admit(a_job(keyed=True))
    forgetful.finish(forgetful.claim())
    (ended_at,) = [score for _, score in forgetful.client.zrange("lucity:keyed", 0, -1, withscores=True)]
    forgetful.client.zadd("lucity:keyed", {keyed.id: ended_at - 7 * 86_400_000})
    forgetful.claims.sweep(1)
    assert forgetful.ledger.get([keyed.id]) == {}
    forgetful.client.close()


def test_scripts_that_redis_forgot_are_loaded_again(redis: RedisPorts) -> None:
    redis.admit(a_job())
    redis.client.script_flush()
    assert redis.admit(a_job())[0].number == 2


def test_everything_accepted_survives_a_crash_of_redis(server: ValkeyServer, redis: RedisPorts) -> None:
    start = redis.events.position()
    sealed, running, queued = redis.admit(a_job(), a_job(), a_job())
    claim = redis.claim(limit=2)
    redis.claims.seal(claim, [sealed.id])
    before = redis.ledger.get([sealed.id, running.id, queued.id])
    told = redis.told(start)
    server.kill()
    with pytest.raises(Unreachable) as caught:
        redis.ledger.get([queued.id])
    assert caught.value.component == "redis"
    with pytest.raises(Unreachable):
        redis.ledger.admit(a_job())
    server.restart()
    assert redis.ledger.get([sealed.id, running.id, queued.id]) == before
    assert redis.told(start) == told
    redis.claims.record(claim, [Outcome(sealed.id, JobState.SUCCEEDED), Outcome(running.id, JobState.QUEUED)])
    assert redis.states(sealed, running, queued) == [JobState.SUCCEEDED, JobState.QUEUED, JobState.QUEUED]


def test_after_everything_was_lost_admission_begins_anew(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job())
    redis.client.flushall()
    assert redis.ledger.get([job.id]) == {}
    assert redis.ledger.admit(job).number == 1


def test_a_redis_without_durability_is_named(redis: RedisPorts) -> None:
    assert check(redis.client) == []
    redis.client.config_set("appendfsync", "everysec")
    redis.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        missing = check(redis.client)
    finally:
        redis.client.config_set("appendfsync", "always")
        redis.client.config_set("maxmemory-policy", "noeviction")
    assert [message.split()[2] for message in missing] == ["maxmemory-policy", "appendfsync"]


def test_a_redis_that_is_full_is_unreachable_and_nothing_was_admitted(redis: RedisPorts) -> None:
    job = a_job()
    redis.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(Unreachable):
            redis.ledger.admit(job)
    finally:
        redis.client.config_set("maxmemory", "512mb")
    assert redis.ledger.get([job.id]) == {}
    assert redis.ledger.unfinished(["shop"])["shop"] == []
