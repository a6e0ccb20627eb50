"""The fate of a commit: every rule of design section 5, their order, and what is never claimed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

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
    ResourceStatus,
    Rollout,
    RolloutPhase,
    SyncStatus,
)
from gitops.verdicts import CommitFacts, Timings, commit_health, is_render_error, outlook, verdict

C = "c" * 40
NEWER = "d" * 40
OLD = "b" * 40
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TIMINGS = Timings(degraded_grace_seconds=10, stable_seconds=3, deadline_seconds=600)
API = Image("registry.local/api", "a1b2c3d")

HELM = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = "
    "failed to execute helm template command: failed running helm: `helm template .` failed exit status 1: nil pointer"
)
AWAY = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = "
    "failed to list refs: dial tcp 10.0.0.1:23231: connect: connection refused"
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def resource(
    service: str = "api",
    health: HealthStatus = HealthStatus.HEALTHY,
    sync: SyncStatus = SyncStatus.SYNCED,
    message: str | None = None,
) -> ResourceStatus:
    return ResourceStatus("apps", "v1", "Deployment", "myapp-development", service, service, sync, health, message)


FACTS = CommitFacts(
    sha=C,
    in_history=True,
    landed_at=ago(30),
    services=("api",),
    identity="e" * 40,
    refreshed_at=ago(29),
    covered=True,
    in_operation=True,
    steady_since=ago(20),
    images=(API,),
)
SEEN = Observation(
    project="myapp",
    environment="development",
    identity="e" * 40,
    sync=SyncStatus.SYNCED,
    health=HealthStatus.HEALTHY,
    revision=C,
    message=None,
    observed_at=ago(1),
    operation=Operation(OperationPhase.SUCCEEDED, None, C, ago(25), ago(22)),
    resources=(resource(),),
    images=("registry.local/api:a1b2c3d",),
)


def judge(
    facts: CommitFacts = FACTS,
    seen: Observation | None = SEEN,
    previous: Rollout | None = None,
    now: datetime = NOW,
) -> Rollout:
    return verdict(facts, seen, previous, now, TIMINGS)


def ended(phase: RolloutPhase) -> Rollout:
    return Rollout(phase, final=True, message="as it was", started_at=ago(25), finished_at=ago(10))


def running(phase: OperationPhase) -> Observation:
    return replace(SEEN, operation=Operation(phase, None, C, ago(5)))


def healthy_as(health: HealthStatus, message: str | None = None) -> Observation:
    return replace(SEEN, health=health, resources=(resource(health=health, message=message),))


def compared(message: str, since: datetime) -> Observation:
    return replace(
        SEEN, sync=SyncStatus.UNKNOWN, revision="main", conditions=(Condition("ComparisonError", message, since),)
    )


def test_a_commit_that_runs_its_image_healthily_for_long_enough_is_deployed() -> None:
    rollout = judge()
    assert (rollout.phase, rollout.final) == (RolloutPhase.DEPLOYED, True)
    assert (rollout.started_at, rollout.finished_at) == (ago(25), NOW)
    assert rollout.resources == (resource(),)


def test_a_a_commit_that_rewriting_removed_is_unknown_even_after_a_final_phase() -> None:
    rollout = judge(replace(FACTS, in_history=False, superseded_by=NEWER), previous=ended(RolloutPhase.DEPLOYED))
    assert (rollout.phase, rollout.final) == (RolloutPhase.UNKNOWN, True)
    assert "rewritten" in (rollout.message or "")


def test_a_commit_that_came_back_into_history_is_judged_again() -> None:
    assert judge(previous=ended(RolloutPhase.UNKNOWN)).phase is RolloutPhase.DEPLOYED


@pytest.mark.parametrize(
    "phase", [RolloutPhase.DEPLOYED, RolloutPhase.RENDER_FAILED, RolloutPhase.TIMED_OUT, RolloutPhase.SUPERSEDED]
)
def test_b_a_newer_commit_of_the_service_leaves_the_final_phase_that_was_reached(phase: RolloutPhase) -> None:
    assert judge(replace(FACTS, superseded_by=NEWER), previous=ended(phase)) == ended(phase)


@pytest.mark.parametrize("previous", [None, Rollout(RolloutPhase.ROLLING_OUT, final=False)])
def test_b_without_a_final_phase_it_is_superseded_whatever_the_cluster_says(previous: Rollout | None) -> None:
    rollout = judge(replace(FACTS, superseded_by=NEWER), previous=previous)
    assert (rollout.phase, rollout.final) == (RolloutPhase.SUPERSEDED, True)
    assert NEWER[:7] in (rollout.message or "")


def test_c_a_render_error_after_the_refresh_fails_with_its_message_though_the_revision_is_a_branch() -> None:
    rollout = judge(replace(FACTS, covered=False), compared(HELM, ago(20)))
    assert (rollout.phase, rollout.final, rollout.message) == (RolloutPhase.RENDER_FAILED, True, HELM)


def test_c_a_render_error_from_before_the_refresh_is_of_an_older_commit() -> None:
    assert judge(replace(FACTS, covered=False), compared(HELM, ago(60))).phase is RolloutPhase.PENDING
    unasked = replace(FACTS, covered=False, refreshed_at=None)
    assert judge(unasked, compared(HELM, ago(1))).phase is RolloutPhase.PENDING


def test_c_an_unchanged_render_error_counts_once_the_delivery_compared_again() -> None:
    facts = replace(FACTS, covered=False, compared_at=ago(20))
    assert judge(facts, compared(HELM, ago(60))).phase is RolloutPhase.RENDER_FAILED


def test_c_a_time_in_whole_seconds_is_not_older_than_the_refresh_within_that_second() -> None:
    facts = replace(FACTS, covered=False, refreshed_at=ago(20) + timedelta(milliseconds=400))
    assert judge(facts, compared(HELM, ago(20))).phase is RolloutPhase.RENDER_FAILED


def test_c_an_unreachable_repository_is_waited_for() -> None:
    rollout = judge(replace(FACTS, covered=False), compared(AWAY, ago(1)))
    assert (rollout.phase, rollout.final) == (RolloutPhase.PENDING, False)
    assert "connection refused" in (rollout.message or "")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (HELM, True),
        (AWAY, False),
        ("failed to generate manifest: services.api.port must be a number", True),
        ("Failed to generate manifests: api.yaml: authentication required", True),
        ("Manifest generation error (cached): template: x", True),
        ("rpc error: code = Unavailable desc = transport is closing", False),
        ("failed to get cluster info", False),
    ],
)
def test_only_words_about_generating_manifests_are_a_render_error(message: str, *, expected: bool) -> None:
    assert is_render_error(message) is expected


def test_d_an_older_revision_is_waited_out_and_the_message_names_it() -> None:
    rollout = judge(replace(FACTS, covered=False), replace(running(OperationPhase.RUNNING), revision=OLD))
    assert rollout.phase is RolloutPhase.PENDING
    assert OLD[:12] in (rollout.message or "")
    assert (rollout.started_at, rollout.finished_at) == (None, None)


def test_nothing_observed_yet_is_pending_and_says_what_it_waits_for() -> None:
    rollout = judge(seen=None)
    assert rollout.phase is RolloutPhase.PENDING
    assert "delivery" in (rollout.message or "")


def test_what_an_earlier_environment_of_the_same_name_shows_does_not_count() -> None:
    rollout = judge(seen=replace(SEEN, identity="f" * 40))
    assert rollout.phase is RolloutPhase.PENDING


@pytest.mark.parametrize("phase", [OperationPhase.RUNNING, OperationPhase.TERMINATING])
def test_e_a_running_operation_is_syncing_before_failure_and_health_are_looked_at(phase: OperationPhase) -> None:
    seen = replace(running(phase), conditions=(Condition("SyncError", "earlier attempt", ago(1)),))
    assert judge(seen=seen).phase is RolloutPhase.SYNCING


@pytest.mark.parametrize("phase", [OperationPhase.FAILED, OperationPhase.ERROR])
def test_f_a_failed_operation_of_the_commit_fails_with_its_message_and_resources(phase: OperationPhase) -> None:
    broken = resource("web", sync=SyncStatus.OUT_OF_SYNC, message="quota exceeded")
    seen = replace(
        SEEN,
        sync=SyncStatus.OUT_OF_SYNC,
        operation=Operation(phase, "one or more objects failed to apply", C, ago(5), ago(4)),
        resources=(resource(), broken),
    )
    rollout = judge(seen=seen)
    assert (rollout.phase, rollout.final) == (RolloutPhase.SYNC_FAILED, True)
    assert (rollout.message, rollout.resources) == ("one or more objects failed to apply", (broken,))


def test_f_a_failed_operation_of_an_older_commit_says_nothing() -> None:
    seen = replace(SEEN, sync=SyncStatus.OUT_OF_SYNC, operation=Operation(OperationPhase.FAILED, "old", OLD))
    assert judge(replace(FACTS, in_operation=False), seen).phase is RolloutPhase.SYNCING


def test_f_a_sync_error_since_the_commit_landed_fails_and_an_older_one_does_not() -> None:
    seen = replace(SEEN, sync=SyncStatus.OUT_OF_SYNC)
    fresh = replace(seen, conditions=(Condition("SyncError", "Failed sync attempt", ago(5)),))
    stale = replace(seen, conditions=(Condition("SyncError", "Failed sync attempt", ago(90)),))
    assert judge(seen=fresh).phase is RolloutPhase.SYNC_FAILED
    assert judge(seen=stale).phase is RolloutPhase.SYNCING


def test_g_a_cluster_that_differs_from_git_is_syncing_although_health_is_still_the_old_one() -> None:
    assert judge(seen=replace(SEEN, sync=SyncStatus.OUT_OF_SYNC)).phase is RolloutPhase.SYNCING


def test_a_sync_that_is_unknown_without_an_error_is_pending() -> None:
    assert judge(seen=replace(SEEN, sync=SyncStatus.UNKNOWN)).phase is RolloutPhase.PENDING


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
