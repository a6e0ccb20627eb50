"""The fate of a commit once it is synced: health, images, deadlines, what changes later, and what is never claimed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.commits import Image
from gitops.rollouts import (
    Condition,
    HealthStatus,
    Observation,
    Operation,
    OperationPhase,
    Rollout,
    RolloutPhase,
    SyncStatus,
)
from gitops.verdicts import CommitFacts, commit_health, outlook, verdict
from tests.support.judging import (
    API,
    FACTS,
    HELM,
    NEWER,
    NOW,
    SEEN,
    TIMINGS,
    C,
    ago,
    compared,
    ended,
    healthy_as,
    judge,
    resource,
    running,
)


def test_h_suspended_is_an_end() -> None:
    rollout = judge(seen=healthy_as(HealthStatus.SUSPENDED))
    assert (rollout.phase, rollout.final) == (RolloutPhase.SUSPENDED, True)


def test_h_degraded_counts_after_the_grace_with_the_words_of_the_resource() -> None:
    seen = healthy_as(HealthStatus.DEGRADED, "exceeded its progress deadline")
    assert judge(replace(FACTS, steady_since=ago(10)), seen).phase is RolloutPhase.ROLLING_OUT
    rollout = judge(replace(FACTS, steady_since=ago(11)), seen)
    assert rollout.phase is RolloutPhase.DEGRADED
    assert rollout.message == "Deployment api: exceeded its progress deadline"


@pytest.mark.parametrize("health", [HealthStatus.PROGRESSING, HealthStatus.MISSING, HealthStatus.UNKNOWN])
def test_h_progressing_missing_and_unobserved_health_are_rolling_out(health: HealthStatus) -> None:
    rollout = judge(seen=healthy_as(health))
    assert (rollout.phase, rollout.final) == (RolloutPhase.ROLLING_OUT, False)
    assert rollout.message


def test_h_a_healthy_that_is_not_stable_yet_may_still_be_the_old_one() -> None:
    assert judge(replace(FACTS, steady_since=ago(2))).phase is RolloutPhase.ROLLING_OUT
    assert judge(replace(FACTS, steady_since=None)).phase is RolloutPhase.ROLLING_OUT
    assert judge(replace(FACTS, steady_since=ago(3))).phase is RolloutPhase.DEPLOYED


@pytest.mark.parametrize(
    ("image", "running_images", "phase"),
    [
        (API, ("registry.local/api:b000001",), RolloutPhase.ROLLING_OUT),
        (API, ("registry.local/api:b000001", "registry.local/api:a1b2c3d"), RolloutPhase.DEPLOYED),
        (API, ("elsewhere/api:a1b2c3d",), RolloutPhase.ROLLING_OUT),
        (replace(API, digest="sha256:1"), ("registry.local/api:a1b2c3d",), RolloutPhase.ROLLING_OUT),
        (replace(API, digest="sha256:1"), ("registry.local/api@sha256:1",), RolloutPhase.DEPLOYED),
        (replace(API, digest="sha256:1"), ("registry.local/api:a1b2c3d@sha256:1",), RolloutPhase.DEPLOYED),
        (Image("localhost:5000/api", "1"), ("localhost:5000/api:1",), RolloutPhase.DEPLOYED),
    ],
)
def test_h_this_services_image_must_be_among_the_running_ones(
    image: Image, running_images: tuple[str, ...], phase: RolloutPhase
) -> None:
    assert judge(replace(FACTS, images=(image,)), replace(SEEN, images=running_images)).phase is phase


def test_h_another_service_that_crashes_does_not_degrade_a_good_deploy() -> None:
    crashing = resource("web", HealthStatus.DEGRADED)
    seen = replace(SEEN, health=HealthStatus.DEGRADED, resources=(resource(), crashing))
    rollout = judge(seen=seen)
    assert (rollout.phase, rollout.resources) == (RolloutPhase.DEPLOYED, (resource(),))


def test_h_the_worst_of_several_services_decides() -> None:
    seen = replace(SEEN, resources=(resource(), resource("web", HealthStatus.PROGRESSING)))
    assert commit_health(replace(FACTS, services=("api", "web")), seen) is HealthStatus.PROGRESSING


def test_h_a_commit_that_touches_no_service_ends_with_the_environments_own_health() -> None:
    facts = replace(FACTS, services=(), images=())
    seen = replace(SEEN, health=HealthStatus.DEGRADED, resources=(resource("web", HealthStatus.DEGRADED),))
    assert judge(facts, seen).phase is RolloutPhase.DEGRADED
    assert judge(facts, replace(seen, health=HealthStatus.HEALTHY)).phase is RolloutPhase.DEPLOYED


def test_h_a_service_whose_objects_are_not_there_yet_is_missing_however_well_the_rest_is() -> None:
    seen = replace(SEEN, resources=(resource("web"),))
    assert commit_health(FACTS, seen) is HealthStatus.MISSING
    assert judge(seen=seen).phase is RolloutPhase.ROLLING_OUT


def test_h_a_delivery_without_health_ends_synced_and_says_why() -> None:
    seen = replace(
        SEEN,
        health=HealthStatus.UNKNOWN,
        health_observable=False,
        message="No runtime runs containers here.",
        images=(),
    )
    rollout = judge(seen=seen)
    assert (rollout.phase, rollout.final) == (RolloutPhase.SYNCED, True)
    assert rollout.message == "No runtime runs containers here."


@pytest.mark.parametrize("seen", [None, replace(SEEN, sync=SyncStatus.OUT_OF_SYNC), healthy_as(HealthStatus.MISSING)])
def test_i_waiting_ends_at_the_deadline_and_the_message_keeps_what_it_waited_for(seen: Observation | None) -> None:
    before = judge(seen=seen, now=NOW + timedelta(seconds=569))
    after = judge(seen=seen, now=NOW + timedelta(seconds=570))
    assert not before.final
    assert (after.phase, after.final) == (RolloutPhase.TIMED_OUT, True)
    assert (before.message or "-") in (after.message or "")


def test_i_a_better_phase_that_is_observed_later_ends_the_time_out() -> None:
    late = replace(FACTS, landed_at=ago(1000))
    assert judge(late, previous=ended(RolloutPhase.TIMED_OUT)).phase is RolloutPhase.DEPLOYED
    still = judge(late, healthy_as(HealthStatus.PROGRESSING), ended(RolloutPhase.TIMED_OUT))
    assert still == ended(RolloutPhase.TIMED_OUT)


def test_a_deployment_that_ran_is_not_undone_by_what_failed_for_later_commits() -> None:
    assert judge(seen=compared(HELM, ago(1)), previous=ended(RolloutPhase.DEPLOYED)) == ended(RolloutPhase.DEPLOYED)
    failed = replace(SEEN, operation=Operation(OperationPhase.FAILED, "web is invalid", NEWER))
    assert judge(seen=failed, previous=ended(RolloutPhase.DEPLOYED)) == ended(RolloutPhase.DEPLOYED)
    out = replace(SEEN, sync=SyncStatus.OUT_OF_SYNC)
    assert judge(seen=out, previous=ended(RolloutPhase.DEPLOYED)) == ended(RolloutPhase.DEPLOYED)


def test_health_that_changes_later_changes_the_phase() -> None:
    sick = healthy_as(HealthStatus.DEGRADED)
    assert judge(seen=sick, previous=ended(RolloutPhase.DEPLOYED)).phase is RolloutPhase.DEGRADED
    assert judge(previous=ended(RolloutPhase.DEGRADED)).phase is RolloutPhase.DEPLOYED


def test_a_failed_sync_that_succeeds_later_is_deployed() -> None:
    assert judge(previous=ended(RolloutPhase.SYNC_FAILED)).phase is RolloutPhase.DEPLOYED
    assert judge(previous=ended(RolloutPhase.RENDER_FAILED)).phase is RolloutPhase.DEPLOYED


def test_a_tick_of_the_clock_changes_nothing() -> None:
    first = judge()
    assert judge(previous=first, now=NOW + timedelta(seconds=40)) == first
    waiting = judge(seen=healthy_as(HealthStatus.PROGRESSING))
    assert judge(seen=healthy_as(HealthStatus.PROGRESSING), previous=waiting, now=NOW + timedelta(seconds=4)) == waiting


def test_the_outlook_changes_with_sync_operation_and_own_health_only() -> None:
    assert outlook(FACTS, SEEN) == outlook(FACTS, replace(SEEN, observed_at=NOW, health=HealthStatus.DEGRADED))
    changed = [replace(SEEN, sync=SyncStatus.OUT_OF_SYNC), running(OperationPhase.RUNNING)]
    changed.append(healthy_as(HealthStatus.PROGRESSING))
    assert all(outlook(FACTS, seen) != outlook(FACTS, SEEN) for seen in changed)


times = st.integers(min_value=0, max_value=2000).map(ago)
facts_drawn = st.builds(
    CommitFacts,
    sha=st.just(C),
    in_history=st.booleans(),
    landed_at=times,
    services=st.sampled_from([(), ("api",), ("web",), ("api", "web")]),
    superseded_by=st.sampled_from([None, NEWER]),
    refreshed_at=st.none() | times,
    covered=st.booleans(),
    in_operation=st.booleans(),
    steady_since=st.none() | times,
    images=st.sampled_from([(), (API,)]),
)
resources_drawn = st.lists(
    st.builds(resource, st.sampled_from(["api", "web"]), st.sampled_from(HealthStatus), st.sampled_from(SyncStatus)),
    max_size=3,
).map(tuple)
seen_drawn = st.builds(
    Observation,
    project=st.just("myapp"),
    environment=st.just("development"),
    identity=st.none(),
    sync=st.sampled_from(SyncStatus),
    health=st.sampled_from(HealthStatus),
    revision=st.sampled_from([None, "main", C]),
    message=st.none(),
    observed_at=times,
    operation=st.none() | st.builds(Operation, st.sampled_from(OperationPhase)),
    resources=resources_drawn,
    conditions=st.sampled_from([(), (Condition("ComparisonError", HELM, NOW),), (Condition("SyncError", "x"),)]),
    images=st.sampled_from([(), (API.reference,)]),
    health_observable=st.booleans(),
)
before_drawn = st.none() | st.sampled_from([p for p in RolloutPhase if p is not RolloutPhase.DEPLOYED]).map(ended)


@given(facts_drawn, seen_drawn, before_drawn)
def test_it_is_never_called_deployed_unless_seen_synced_healthy_and_covered(
    facts: CommitFacts, seen: Observation, previous: Rollout | None
) -> None:
    rollout = verdict(facts, seen, previous, NOW, TIMINGS)
    proven = facts.covered and seen.sync is SyncStatus.SYNCED and commit_health(facts, seen) is HealthStatus.HEALTHY
    assert rollout.phase is not RolloutPhase.DEPLOYED or (proven and facts.in_history and seen.health_observable)


@given(facts_drawn, st.none() | seen_drawn, before_drawn)
def test_judging_again_with_the_own_answer_changes_nothing(
    facts: CommitFacts, seen: Observation | None, previous: Rollout | None
) -> None:
    rollout = verdict(facts, seen, previous, NOW, TIMINGS)
    assert verdict(facts, seen, rollout, NOW, TIMINGS) == rollout


@given(facts_drawn, st.none() | seen_drawn, before_drawn)
def test_an_end_has_a_time_and_waiting_has_a_reason(
    facts: CommitFacts, seen: Observation | None, previous: Rollout | None
) -> None:
    rollout = verdict(facts, seen, previous, NOW, TIMINGS)
    assert rollout.final == (rollout.finished_at is not None)
    assert rollout.final or rollout.message
