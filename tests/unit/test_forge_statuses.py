"""What a commit's status says of every state that there is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.forges.calls import LONGEST_DESCRIPTION, StatusState
from adapters.records import JobRecord, JobState, RolloutRecord
from gitops.changes import Actor, ActorKind, JobKind
from gitops.problems import JobFailure
from gitops.rollouts import Rollout, RolloutPhase
from jobs.forge_statuses import of_build, of_deploy, of_rollout

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORIGIN = "https://lucity.example.org"
JOB = JobRecord(
    id="job_1",
    kind=JobKind.BUILD,
    project="shop",
    environments=("development",),
    services=("api",),
    summary="build api a1b2c3d",
    actor=Actor("webhook_github", "Bo", "bo@example.org", ActorKind.AUTOMATION),
    change="{}",
    fingerprint="",
    created_at=NOON,
)


@pytest.mark.parametrize("state", JobState)
def test_only_what_has_not_ended_is_pending(state: JobState) -> None:
    said = of_build(ORIGIN, replace(JOB, state=state))
    assert (said.state is StatusState.PENDING) is not state.ended
    assert (said.context, said.url) == ("lucity/build/api", ORIGIN)


def test_a_failure_says_why_on_one_short_line() -> None:
    failed = replace(JOB, state=JobState.FAILED, problem=JobFailure("no\nDockerfile " + "x" * 200))
    said = of_deploy(ORIGIN, "development", "api", failed)
    assert (said.context, said.state) == ("lucity/development/api", StatusState.FAILURE)
    assert said.description.startswith("no Dockerfile xxx")
    assert len(said.description) == LONGEST_DESCRIPTION


@pytest.mark.parametrize("phase", RolloutPhase)
def test_a_rollout_is_good_or_bad_once_it_is_over(phase: RolloutPhase) -> None:
    record = RolloutRecord("shop", "development", "a" * 40, Rollout(phase, final=True, message="why"))
    bad = phase.value.endswith(("FAILED", "DEGRADED", "OUT")) and phase is not RolloutPhase.ROLLING_OUT
    said = of_rollout(ORIGIN, "development", "api", record)
    assert (said.state is StatusState.FAILURE) is bad
    assert said.description == f"{phase.value.lower().replace('_', ' ')}: why"


def test_without_a_verdict_a_rollout_is_waited_for() -> None:
    assert of_rollout(ORIGIN, "development", "api", None).state is StatusState.PENDING
