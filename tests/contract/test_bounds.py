"""Full queues, retention, crashes and a Redis that is not as it must be, on a real Valkey."""

import pytest

from adapters.ports import Unreachable
from adapters.records import (
    JobFilter,
    JobState,
    Outcome,
)
from adapters.redis_client import check
from gitops.problems import (
    RateLimited,
)
from tests.support.redis_ports import RedisPorts, a_job, redis_ports, refusal
from tests.support.valkey import ValkeyServer


@pytest.mark.usefixtures("redis")
def test_a_full_queue_refuses_and_takes_again_when_a_job_ended(valkey: ValkeyServer) -> None:
    small = redis_ports(valkey.url, queue_jobs=2)
    first, _ = small.admit(a_job(), a_job())
    problem = refusal(lambda: small.ledger.admit(a_job()))
    assert isinstance(problem, RateLimited)
    assert problem.retry_after_seconds > 0
    small.ledger.admit(a_job(project="other"))
    small.ledger.cancel(first.id)
    assert small.ledger.admit(a_job()).state is JobState.QUEUED
    small.client.close()


@pytest.mark.usefixtures("redis")
def test_a_queue_of_too_many_bytes_refuses_until_they_are_done(valkey: ValkeyServer) -> None:
    small = redis_ports(valkey.url, queue_bytes=60_000)
    (large,) = small.admit(a_job(change="x" * 40_000))
    assert isinstance(refusal(lambda: small.ledger.admit(a_job(change="x" * 40_000))), RateLimited)
    small.ledger.cancel(large.id)
    assert small.ledger.admit(a_job(change="x" * 40_000)).state is JobState.QUEUED
    small.client.close()


@pytest.mark.usefixtures("redis")
def test_a_full_queue_still_answers_a_repeated_admission(valkey: ValkeyServer) -> None:
    small = redis_ports(valkey.url, queue_jobs=1)
    (job,) = small.admit(a_job())
    assert small.ledger.admit(job).id == job.id
    small.client.close()


@pytest.mark.usefixtures("redis")
def test_ended_jobs_over_the_number_kept_go_oldest_first_but_keyed_ones_stay(valkey: ValkeyServer) -> None:
    small = redis_ports(valkey.url, jobs_kept=2)
    keyed, *others = small.admit(a_job(keyed=True), *(a_job() for _ in range(4)))
    small.finish(small.claim())
    assert set(small.ledger.get([keyed.id, *(job.id for job in others)])) == {keyed.id, others[-1].id}
    assert [job.id for job in small.ledger.page(JobFilter(), 10, None).jobs] == [others[-1].id, keyed.id]
    small.client.close()


@pytest.mark.usefixtures("redis")
def test_the_sweep_forgets_old_ended_jobs_and_never_unfinished_or_keyed_ones(valkey: ValkeyServer) -> None:
    forgetful = redis_ports(valkey.url, job_days=0)
    keyed, ended = forgetful.admit(a_job(keyed=True), a_job())
    forgetful.finish(forgetful.claim())
    (queued,) = forgetful.admit(a_job())
    forgetful.events.append_log(ended.id, [("stdout", "hello")])
    forgetful.claims.sweep(1)
    assert set(forgetful.ledger.get([keyed.id, ended.id, queued.id])) == {keyed.id, queued.id}
    assert forgetful.events.log(ended.id, 10, None).lines == ()
    forgetful.client.close()


@pytest.mark.usefixtures("redis")
def test_a_key_is_kept_seven_days_and_no_longer(valkey: ValkeyServer) -> None:
    forgetful = redis_ports(valkey.url, job_days=0)
    (keyed,) = forgetful.admit(a_job(keyed=True))
    forgetful.finish(forgetful.claim())
    ended_at = float(str(forgetful.client.zscore("lucity:keyed", keyed.id)))
    forgetful.client.zadd("lucity:keyed", {keyed.id: ended_at - 7 * 86_400_000})
    forgetful.claims.sweep(1)
    assert forgetful.ledger.get([keyed.id]) == {}
    forgetful.client.close()


def test_scripts_that_redis_forgot_are_loaded_again(redis: RedisPorts) -> None:
    redis.admit(a_job())
    redis.client.script_flush()
    assert redis.admit(a_job())[0].number == 2


def test_everything_accepted_survives_a_crash_of_redis(valkey: ValkeyServer, redis: RedisPorts) -> None:
    start = redis.events.position()
    sealed, running, queued = redis.admit(a_job(), a_job(), a_job())
    claim = redis.claim(limit=2)
    redis.claims.seal(claim, [sealed.id])
    before = redis.ledger.get([sealed.id, running.id, queued.id])
    told = redis.told(start)
    valkey.kill()
    with pytest.raises(Unreachable) as caught:
        redis.ledger.get([queued.id])
    assert caught.value.component == "redis"
    with pytest.raises(Unreachable):
        redis.ledger.admit(a_job())
    valkey.restart()
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


def test_a_redis_that_is_full_admits_nothing_and_still_answers(redis: RedisPorts) -> None:
    job, start = a_job(), redis.events.position()
    redis.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(Unreachable):
            redis.ledger.admit(job)
        assert redis.events.after(start).events == ()
        assert redis.ledger.unfinished(["shop"]) == {"shop": []}
    finally:
        redis.client.config_set("maxmemory", "512mb")
    assert redis.ledger.get([job.id]) == {}
    assert redis.ledger.unfinished(["shop"])["shop"] == []
