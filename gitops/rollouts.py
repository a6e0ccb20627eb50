"""What the cluster did with a commit: a pure function over our commits, what was observed, and the clock.

Source of the rules: design section 5. Nothing here asks Argo CD, Git or Redis.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SyncStatus(StrEnum):
    """Whether the cluster is what Git says, as Argo CD tells it."""

    SYNCED = "SYNCED"
    OUT_OF_SYNC = "OUT_OF_SYNC"
    UNKNOWN = "UNKNOWN"


class HealthStatus(StrEnum):
    """How well it runs, as Argo CD tells it; UNKNOWN where nothing was observed."""

    HEALTHY = "HEALTHY"
    PROGRESSING = "PROGRESSING"
    DEGRADED = "DEGRADED"
    SUSPENDED = "SUSPENDED"
    MISSING = "MISSING"
    UNKNOWN = "UNKNOWN"


_WORST_LAST = (
    HealthStatus.HEALTHY,
    HealthStatus.UNKNOWN,
    HealthStatus.SUSPENDED,
    HealthStatus.PROGRESSING,
    HealthStatus.MISSING,
    HealthStatus.DEGRADED,
)


def worst(healths: Iterable[HealthStatus]) -> HealthStatus:
    """The worst of them; UNKNOWN when there is none."""
    return max(healths, key=_WORST_LAST.index, default=HealthStatus.UNKNOWN)


class OperationPhase(StrEnum):
    """How far a sync is, as Argo CD tells it."""

    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ERROR = "ERROR"
    UNKNOWN = "UNKNOWN"


class RolloutPhase(StrEnum):
    """How far a commit has come in one environment: PENDING, SYNCING, ROLLING_OUT, then how it ended. SYNCED: where
    health cannot be observed; SUPERSEDED: a newer commit came before this one was seen to run.
    """

    PENDING = "PENDING"
    SYNCING = "SYNCING"
    ROLLING_OUT = "ROLLING_OUT"
    SYNCED = "SYNCED"
    DEPLOYED = "DEPLOYED"
    SUSPENDED = "SUSPENDED"
    DEGRADED = "DEGRADED"
    SYNC_FAILED = "SYNC_FAILED"
    RENDER_FAILED = "RENDER_FAILED"
    TIMED_OUT = "TIMED_OUT"
    SUPERSEDED = "SUPERSEDED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class ResourceStatus:
    """One Kubernetes object of an environment, as the delivery reports it. `service`: its label lucity.dev/service."""

    group: str
    version: str
    kind: str
    namespace: str | None
    name: str
    service: str | None
    sync: SyncStatus
    health: HealthStatus
    message: str | None = None


@dataclass(frozen=True)
class Operation:
    """A sync that Argo CD runs or ran."""

    phase: OperationPhase
    message: str | None = None
    revision: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class Condition:
    """An Application condition, e.g. type ComparisonError."""

    type: str
    message: str
    since: datetime | None = None


@dataclass(frozen=True)
class Observation:
    """What the delivery said of one environment. `identity`: SHA of the commit that created its folder."""

    project: str
    environment: str
    identity: str | None
    sync: SyncStatus
    health: HealthStatus
    revision: str | None
    """What was compared: a full SHA, or a branch name after a render error."""
    message: str | None
    observed_at: datetime
    operation: Operation | None = None
    resources: tuple[ResourceStatus, ...] = ()
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()
    """References of the running images."""
    health_observable: bool = True
    """False for a delivery that renders only: a synced commit then ends SYNCED."""
    compared_at: datetime | None = None
    """When the delivery last compared, as it says itself (Argo CD: reconciledAt)."""


@dataclass(frozen=True)
class Rollout:
    """The fate of one commit in one environment."""

    phase: RolloutPhase
    final: bool
    message: str | None = None
    resources: tuple[ResourceStatus, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None


def gone_rollout(environment: str, *, removed: bool) -> Rollout:
    """The fate of a commit in an environment that is not there any more; `removed`: this commit took it away."""
    if removed:
        return Rollout(RolloutPhase.SYNCED, final=True, message=f"Environment {environment} was deleted, as asked.")
    message = f"Environment {environment} was deleted before this commit was seen to run."
    return Rollout(RolloutPhase.SUPERSEDED, final=True, message=message)
