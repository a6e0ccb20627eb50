"""Admission, reading, listing and cancelling of jobs, on a real Valkey."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from adapters.records import EventKind, JobFilter, JobRecord, JobState, Outcome, Step
from gitops.changes import Actor, JobKind
from gitops.problems import (
    Conflict,
    ConflictCode,
    InvalidInput,
    JobFailure,
    NotFound,
)
from tests.support.redis_ports import RedisPorts, a_job, refusal


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


def test_unfinished_jobs_are_as_they_are_now_however_often_they_were_read(redis: RedisPorts) -> None:
    def read() -> Sequence[JobRecord]:
        unfinished = redis.ledger.unfinished(["blog", "shop"])["shop"]
        assert unfinished == list(redis.ledger.get([job.id for job in unfinished]).values())
        return unfinished

    creation, *jobs = redis.admit(a_job(JobKind.ENVIRONMENT_CREATE, "pr-1"), *(a_job() for _ in range(3)))
    assert read() == read() == [creation, *jobs]
    claim = redis.claim()
    assert {job.attempts for job in read()} == {1}
    redis.ledger.cancel(jobs[0].id)
    assert [job.cancel_requested for job in read()] == [False, True, False, False]
    redis.claims.seal(claim, [jobs[1].id])
    assert [job.sealed_at is not None for job in read()] == [False, False, True, False]
    redis.claims.record(claim, [Outcome(creation.id, JobState.WAITING), Outcome(jobs[1].id, JobState.SUCCEEDED)])
    assert [job.id for job in read()] == [creation.id, jobs[0].id, jobs[2].id]
    redis.claims.release(claim)
    redis.admit(a_job())
    assert [job.state for job in read()] == [JobState.WAITING, JobState.QUEUED, JobState.QUEUED]


def test_what_was_remembered_before_everything_was_lost_is_not_told_again(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job(project="shop"))
    assert redis.ledger.unfinished(["shop"])["shop"] == [job]
    redis.client.flushall()
    (again,) = redis.admit(replace(job, summary="another"))
    assert redis.ledger.unfinished(["shop"])["shop"] == [again]


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
    for number in range(10, 4_500):
        pipeline.hset(
            f"lucity:job:{number}",
            mapping={"state": "QUEUED", "kind": "DEPLOY", "environments": "", "services": "api", "actor": "ada"},
        )
        pipeline.zadd("lucity:jobs", {str(number): number})
    pipeline.execute()
    assert redis.ledger.page(JobFilter(kinds=(JobKind.CHART,)), 5, None).jobs == (rare,)


@pytest.mark.parametrize("cursor", ["job_unknown", ""])
def test_a_cursor_of_no_job_is_refused(redis: RedisPorts, cursor: str) -> None:
    assert isinstance(refusal(lambda: redis.ledger.page(JobFilter(), 5, cursor)), InvalidInput)


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
    codes = [refusal(partial(redis.ledger.cancel, it.id)) for it in (waiting, sealed, ended)]
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


def test_a_problem_that_was_overcome_is_not_told_at_the_end(redis: RedisPorts) -> None:
    (job,) = redis.admit(a_job(JobKind.ENVIRONMENT_CREATE, "pr-1"))
    redis.land(job)
    redis.ledger.settle([Outcome(job.id, JobState.WAITING, problem=JobFailure("not yet"))])
    assert redis.job(job).problem == JobFailure("not yet")
    redis.ledger.settle([Outcome(job.id, JobState.SUCCEEDED)])
    assert redis.job(job).problem is None
