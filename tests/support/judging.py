"""A commit, an observation and a clock to judge rollouts by; each test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

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
from gitops.verdicts import CommitFacts, Timings, verdict

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
