"""Observations and verdicts on a real Valkey."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.ports import StaleLead
from adapters.probes import delivery_probe, observer_probe
from adapters.records import EventKind, RolloutRecord, Signs
from gitops.rollouts import (
    Condition,
    HealthStatus,
    Observation,
    Operation,
    OperationPhase,
    ResourceStatus,
    Rollout,
    RolloutPhase,
    SyncStatus,
)
from tests.support.redis_ports import RedisPorts, until

AT = datetime(2026, 11, 23, 4, 5, 6, 789_000, tzinfo=UTC)
SEEN = Observation(
    project="shop",
    environment="staging",
    identity="c0ffee",
    sync=SyncStatus.SYNCED,
    health=HealthStatus.PROGRESSING,
    revision="beef",
    message=None,
    observed_at=AT,
    operation=Operation(OperationPhase.RUNNING, "syncing", "beef", AT),
    resources=(ResourceStatus("apps", "v1", "Deployment", "n", "api", "api", SyncStatus.SYNCED, HealthStatus.HEALTHY),),
    conditions=(Condition("SyncError", "one or more objects failed", AT),),
    images=("registry/api:1",),
    health_observable=False,
)
VERDICT = RolloutRecord(
    "shop", "staging", "beef", Rollout(RolloutPhase.SYNCED, final=True, resources=SEEN.resources, finished_at=AT)
)


def test_what_was_observed_reads_back_and_was_told(redis: RedisPorts) -> None:
    start = redis.events.position()
    other = replace(SEEN, project="blog")
    redis.statuses.observe([SEEN, other], [VERDICT], heads={"shop": "beef"})
    keys = [("shop", "staging"), ("shop", "unknown"), ("blog", "staging")]
    assert redis.statuses.status(keys) == {("shop", "staging"): SEEN, ("blog", "staging"): other}
    assert redis.statuses.rollouts([("shop", "staging", "beef"), ("shop", "staging", "dead")]) == {
        ("shop", "staging", "beef"): VERDICT
    }
    first, second, third = redis.told(start)
    assert (first.kind, first.environment, first.status, first.head) == (EventKind.STATUS, "staging", SEEN, "beef")
    assert (second.project, second.status, second.head) == ("blog", other, None)
    assert (third.kind, third.environment, third.rollout) == (EventKind.ROLLOUT, "staging", VERDICT)


def test_nothing_asked_or_observed_is_nothing(redis: RedisPorts) -> None:
    start = redis.events.position()
    redis.statuses.observe([], [], heads={})
    assert redis.told(start) == []
    assert redis.statuses.status([]) == {}
    assert redis.statuses.rollouts([]) == {}


def test_an_event_without_a_given_head_has_the_one_last_advanced_to(redis: RedisPorts) -> None:
    redis.events.advance_head("shop", None, "a1", [])
    start = redis.events.position()
    redis.statuses.observe([SEEN], [], heads={})
    assert [event.head for event in redis.told(start)] == ["a1"]


def test_of_many_verdicts_the_newest_written_are_kept(redis: RedisPorts) -> None:
    first = [replace(VERDICT, commit=f"{number:040x}") for number in range(1500)]
    redis.statuses.observe([], first, heads={})
    written = redis.client.time()
    until(lambda: redis.client.time()[0] > written[0], "the clock to go on")
    second = [replace(VERDICT, commit=f"{number:040x}") for number in range(1500, 3000)]
    redis.statuses.observe([], second, heads={})
    kept = redis.statuses.rollouts([("shop", "staging", it.commit) for it in [*first, *second]])
    assert len(kept) == 2000
    assert {("shop", "staging", it.commit) for it in second} <= set(kept)


def test_the_observer_is_alive_once_it_said_so(redis: RedisPorts) -> None:
    assert redis.statuses.signs() == Signs(None, None)
    redis.statuses.beat(None)
    first = redis.statuses.signs()
    assert first.delivery is None
    assert first.observer is not None
    assert first.observer.tzinfo is UTC
    seconds, _ = redis.client.time()
    assert 0 <= int(seconds) - int(first.observer.timestamp()) < 60


def test_a_beat_tells_when_the_delivery_was_last_heard(redis: RedisPorts) -> None:
    redis.statuses.beat(1000.5)
    told = redis.statuses.signs()
    assert told.observer is not None
    assert told.delivery == told.observer - timedelta(seconds=1000.5)


def test_a_beat_tells_whether_the_git_host_answers(redis: RedisPorts) -> None:
    redis.statuses.beat(None, git_away=True)
    assert redis.statuses.signs().git_away
    redis.statuses.beat(1.0)
    assert not redis.statuses.signs().git_away


def test_a_delivery_that_is_silent_is_a_component_that_is_not_well(redis: RedisPorts) -> None:
    assert "nothing was heard" in delivery_probe(redis.statuses)
    redis.statuses.beat(200)
    assert "the delivery was last heard 20" in delivery_probe(redis.statuses)
    assert observer_probe(redis.statuses) == ""
    redis.statuses.beat(1)
    assert delivery_probe(redis.statuses) == ""


def test_forgetting_an_environment_leaves_the_others(redis: RedisPorts) -> None:
    other = replace(SEEN, environment="production")
    other_verdict = replace(VERDICT, environment="production")
    redis.events.advance_head("shop", None, "a1", [])
    redis.statuses.observe([SEEN, other], [VERDICT, other_verdict], heads={})
    redis.statuses.forget("shop", ["staging"])
    assert list(redis.statuses.status([("shop", "staging"), ("shop", "production")])) == [("shop", "production")]
    keys = [("shop", "staging", "beef"), ("shop", "production", "beef")]
    assert list(redis.statuses.rollouts(keys)) == [("shop", "production", "beef")]
    assert redis.events.heads(["shop"]) == {"shop": "a1"}


def test_forgetting_a_project_leaves_the_others(redis: RedisPorts) -> None:
    for project in ("shop", "blog"):
        redis.events.advance_head(project, None, "a1", [])
        redis.statuses.observe([replace(SEEN, project=project)], [replace(VERDICT, project=project)], heads={})
    redis.statuses.forget("shop")
    assert list(redis.statuses.status([("shop", "staging"), ("blog", "staging")])) == [("blog", "staging")]
    assert list(redis.statuses.rollouts([("shop", "staging", "beef"), ("blog", "staging", "beef")])) == [
        ("blog", "staging", "beef")
    ]
    assert redis.events.heads(["shop", "blog"]) == {"blog": "a1"}


def test_who_does_not_lead_any_more_writes_nothing(redis: RedisPorts) -> None:
    old = replace(VERDICT, rollout=Rollout(RolloutPhase.ROLLING_OUT, final=False))
    assert redis.leases.acquire("observer", "new", 60)
    redis.statuses.observe([SEEN], [VERDICT], heads={}, leader="new")
    start = redis.events.position()
    with pytest.raises(StaleLead):
        redis.statuses.observe([replace(SEEN, revision="dead")], [old], heads={}, leader="old")
    redis.leases.release("observer", "new")
    with pytest.raises(StaleLead):
        redis.statuses.observe([], [old], heads={}, leader="old")
    assert redis.told(start) == []
    assert redis.statuses.status([("shop", "staging")]) == {("shop", "staging"): SEEN}
    key = ("shop", "staging", "beef")
    assert redis.statuses.rollouts([key]) == {key: VERDICT}
