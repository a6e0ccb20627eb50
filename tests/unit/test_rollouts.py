"""The fate of a commit until it is synced: rules a to g of design section 5, and their order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gitops.rollouts import (
    Condition,
    Operation,
    OperationPhase,
    Rollout,
    RolloutPhase,
    SyncStatus,
)
from gitops.verdicts import is_render_error
from tests.support.judging import (
    AWAY,
    FACTS,
    HELM,
    NEWER,
    NOW,
    OLD,
    SEEN,
    C,
    ago,
    compared,
    ended,
    judge,
    resource,
    running,
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
