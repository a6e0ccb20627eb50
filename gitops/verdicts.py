"""The rules that turn what was observed into the fate of one commit in one environment (design section 5, a to i).

Nothing here asks anybody: the observer gathers the facts, `verdict` judges them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitops.commits import Image
from gitops.rollouts import (
    Condition,
    HealthStatus,
    Observation,
    OperationPhase,
    ResourceStatus,
    Rollout,
    RolloutPhase,
    SyncStatus,
    worst,
)

RENDER_ERROR = "failed to generate manifest"
"""What a ComparisonError says when the chart refused the values; the local delivery begins its own messages with it."""

_UNREACHABLE = re.compile(
    r"failed to list refs|failed to (?:initialize|fetch|checkout)|code = (?:Unavailable|DeadlineExceeded|Canceled)"
    r"|context deadline exceeded|dial tcp|connection refused|connection reset|i/o timeout|no such host"
    r"|authentication required|repository not (?:found|accessible)",
    re.IGNORECASE,
)
_RENDERED_BY_HELM = re.compile(r"helm template|error unmarshaling|YAML parse error", re.IGNORECASE)
_GENERATING = re.compile(rf"{RENDER_ERROR}|manifest generation error|helm template", re.IGNORECASE)
_CLOCK_GRAIN = timedelta(seconds=1)  # Kubernetes writes times in whole seconds, rounded down

_FINAL = frozenset(RolloutPhase) - {RolloutPhase.PENDING, RolloutPhase.SYNCING, RolloutPhase.ROLLING_OUT}
_RAN = frozenset({RolloutPhase.DEPLOYED, RolloutPhase.SYNCED, RolloutPhase.SUSPENDED, RolloutPhase.DEGRADED})
_VOID = frozenset({RolloutPhase.UNKNOWN, RolloutPhase.SUPERSEDED})


@dataclass(frozen=True)
class Timings:
    """How long the rules wait."""

    degraded_grace_seconds: float = 10
    """A Degraded that lasts less is part of rolling out."""
    stable_seconds: float = 3
    """How long Healthy must last before it is believed: right after a sync Argo CD still shows the old one."""
    deadline_seconds: float = 600
    """After this, counted from landing, waiting ends TIMED_OUT."""


@dataclass(frozen=True)
class CommitFacts:
    """What Git and the observer's memory know of one commit in one environment. Times are aware, UTC, of our clock."""

    sha: str
    in_history: bool
    """Whether the head's first-parent history still holds it."""
    landed_at: datetime
    services: tuple[str, ...] = ()
    """The services that it changed in this environment; empty when it touched none of them."""
    superseded_by: str | None = None
    """SHA of a newer commit at the head that changed the same services here."""
    identity: str | None = None
    """The environment's identity at the head."""
    refreshed_at: datetime | None = None
    """When the delivery was last asked to look at a head that holds this commit."""
    compared_at: datetime | None = None
    """When the delivery last compared, as it says itself (Argo CD: reconciledAt)."""
    covered: bool = False
    """Whether the observed revision is this commit or a descendant."""
    in_operation: bool = False
    """Whether the operation's revision is this commit or a descendant."""
    steady_since: datetime | None = None
    """Since when `outlook` has answered the same for this commit."""
    images: tuple[Image, ...] = ()
    """What pods of `services` must run; none for services without running pods (CronJob, no replicas, no tag yet)."""


def outlook(facts: CommitFacts, observation: Observation) -> tuple[bool, SyncStatus, bool, HealthStatus]:
    """Sum up what must stay the same for a health to be believed: covered, sync, operation running, own health."""
    return facts.covered, observation.sync, _operating(observation), commit_health(facts, observation)


def commit_health(facts: CommitFacts, observation: Observation) -> HealthStatus:
    """Find the worst health of the commit's own resources; the environment's when it has none and none is expected."""
    own = _own_resources(facts, observation) if facts.services else ()
    if own:
        return worst(resource.health for resource in own)
    return HealthStatus.MISSING if facts.images else observation.health


def verdict(
    facts: CommitFacts,
    observation: Observation | None,
    previous: Rollout | None,
    now: datetime,
    timings: Timings,
) -> Rollout:
    """Judge the rollout now. A final phase that was reached is only replaced by one that says more (`_outranks`)."""
    found = _by_history(facts, previous)
    if found is None:
        found = _by_deadline(_by_observation(facts, observation, now, timings), facts, now, timings)
    if previous is not None and not _outranks(found.phase, previous.phase):
        return previous
    return _timed(found, facts, observation, previous, now)


def _rollout(phase: RolloutPhase, message: str | None, resources: Sequence[ResourceStatus] = ()) -> Rollout:
    return Rollout(phase, final=phase in _FINAL, message=message, resources=tuple(resources))


def _outranks(found: RolloutPhase, before: RolloutPhase) -> bool:
    """Health that was seen proves that the commit was rendered and synced: later failures of that kind are others'."""
    if found is RolloutPhase.UNKNOWN or before not in _FINAL or before in _VOID or found in _RAN:
        return True
    if before in _RAN or found not in _FINAL or found is RolloutPhase.TIMED_OUT:
        return False
    return before is RolloutPhase.TIMED_OUT or found in {before, RolloutPhase.SYNC_FAILED}


def _by_history(facts: CommitFacts, previous: Rollout | None) -> Rollout | None:
    """Rules a and b."""
    if not facts.in_history:
        return _rollout(RolloutPhase.UNKNOWN, f"History was rewritten and no longer holds {facts.sha[:7]}.")
    if facts.superseded_by is None:
        return None
    if previous is not None and previous.phase in _FINAL - {RolloutPhase.UNKNOWN}:
        return previous
    newer = facts.superseded_by[:7]
    return _rollout(
        RolloutPhase.SUPERSEDED, f"Commit {newer} changed the same service before this one was seen to run."
    )


def _by_observation(facts: CommitFacts, observation: Observation | None, now: datetime, timings: Timings) -> Rollout:
    """Rules c to h."""
    if observation is None:
        return _rollout(RolloutPhase.PENDING, "Waiting for the delivery to report on this environment.")
    if facts.identity and observation.identity and facts.identity != observation.identity:
        return _rollout(RolloutPhase.PENDING, "Waiting for an earlier environment of the same name to be replaced.")
    return (
        _by_comparison(facts, observation)
        or _by_operation(facts, observation)
        or _by_health(facts, observation, now, timings)
    )


def _by_comparison(facts: CommitFacts, observation: Observation) -> Rollout | None:
    """Rules c and d."""
    error = _condition(observation, "ComparisonError")
    if error is not None and observation.sync is SyncStatus.UNKNOWN:
        if not is_render_error(error.message):
            return _rollout(RolloutPhase.PENDING, f"The delivery cannot compare yet: {error.message}")
        if _compared_after_refresh(facts, error):
            return _rollout(RolloutPhase.RENDER_FAILED, error.message)
    if not facts.covered:
        seen = f"it still shows {observation.revision[:12]}" if observation.revision else "it has shown none yet"
        return _rollout(RolloutPhase.PENDING, f"Waiting for the delivery to look at {facts.sha[:7]}; {seen}.")
    return None


def _by_operation(facts: CommitFacts, observation: Observation) -> Rollout | None:
    """Rules e, f and g."""
    operation = observation.operation
    own = _own_resources(facts, observation)
    if _operating(observation):
        return _rollout(RolloutPhase.SYNCING, (operation and operation.message) or "A sync is running.", own)
    if failure := _sync_failure(facts, observation):
        failing = [resource for resource in observation.resources if resource.sync is not SyncStatus.SYNCED]
        return _rollout(RolloutPhase.SYNC_FAILED, failure, failing)
    match observation.sync:
        case SyncStatus.OUT_OF_SYNC:
            return _rollout(RolloutPhase.SYNCING, "The cluster differs from Git; waiting for the next sync.", own)
        case SyncStatus.UNKNOWN:
            return _rollout(RolloutPhase.PENDING, "Waiting for the delivery to compare the cluster with Git.", own)
        case SyncStatus.SYNCED:
            return None


def _by_health(facts: CommitFacts, observation: Observation, now: datetime, timings: Timings) -> Rollout:
    """Rule h."""
    own = _own_resources(facts, observation)
    if not observation.health_observable:
        reason = observation.message or "This delivery cannot observe health."
        return _rollout(RolloutPhase.SYNCED, reason, own)
    steady = (now - facts.steady_since).total_seconds() if facts.steady_since else 0.0
    match commit_health(facts, observation):
        case HealthStatus.SUSPENDED:
            return _rollout(RolloutPhase.SUSPENDED, _reason(own, HealthStatus.SUSPENDED) or "It is paused.", own)
        case HealthStatus.DEGRADED if steady > timings.degraded_grace_seconds:
            return _rollout(
                RolloutPhase.DEGRADED,
                _reason(own, HealthStatus.DEGRADED) or observation.message or "It is degraded.",
                own,
            )
        case HealthStatus.HEALTHY:
            return _when_healthy(facts, observation, own, stable=steady >= timings.stable_seconds)
        case worse:
            waiting = f"Waiting for it to become healthy; it is {worse.value.lower()}."
            return _rollout(RolloutPhase.ROLLING_OUT, _reason(own, worse) or waiting, own)


def _when_healthy(
    facts: CommitFacts, observation: Observation, own: Sequence[ResourceStatus], *, stable: bool
) -> Rollout:
    missing = [image.reference for image in facts.images if not _runs(image, observation.images)]
    if missing:
        return _rollout(RolloutPhase.ROLLING_OUT, f"Waiting for {missing[0]} to run.", own)
    operation = observation.operation if facts.in_operation else None
    if operation and operation.finished_at and facts.compared_at and facts.compared_at < operation.finished_at:
        return _rollout(RolloutPhase.ROLLING_OUT, "Synced; waiting for the delivery to look at what came of it.", own)
    if not stable:
        return _rollout(RolloutPhase.ROLLING_OUT, "It is healthy; waiting for it to stay so.", own)
    return _rollout(RolloutPhase.DEPLOYED, None, own)


def _by_deadline(found: Rollout, facts: CommitFacts, now: datetime, timings: Timings) -> Rollout:
    """Rule i."""
    if found.final or (now - facts.landed_at).total_seconds() < timings.deadline_seconds:
        return found
    message = f"Not finished within {timings.deadline_seconds:g} seconds. {found.message or ''}".rstrip()
    return _rollout(RolloutPhase.TIMED_OUT, message, found.resources)


def _timed(
    found: Rollout, facts: CommitFacts, observation: Observation | None, previous: Rollout | None, now: datetime
) -> Rollout:
    """Set times that do not move while the phase stays, so that a tick of the clock is no event."""
    operation = observation.operation if observation is not None and facts.in_operation else None
    started = operation.started_at if operation and operation.started_at else now
    waiting = found.phase in _VOID | {RolloutPhase.PENDING}
    started_at = (previous.started_at if previous else None) or (None if waiting else started)
    finished_at = previous.finished_at if previous is not None and previous.phase is found.phase else now
    return replace(found, started_at=started_at, finished_at=finished_at if found.final else None)


def _own_resources(facts: CommitFacts, observation: Observation) -> tuple[ResourceStatus, ...]:
    if not facts.services:
        return observation.resources
    return tuple(resource for resource in observation.resources if resource.service in facts.services)


def _operating(observation: Observation) -> bool:
    operation = observation.operation
    return operation is not None and operation.phase in {OperationPhase.RUNNING, OperationPhase.TERMINATING}


def _sync_failure(facts: CommitFacts, observation: Observation) -> str | None:
    operation = observation.operation
    if operation and facts.in_operation and operation.phase in {OperationPhase.FAILED, OperationPhase.ERROR}:
        return operation.message or "The sync failed."
    error = _condition(observation, "SyncError")
    if error is not None and (error.since is None or error.since + _CLOCK_GRAIN > facts.landed_at):
        return error.message
    return None


def is_render_error(message: str) -> bool:
    """Whether a ComparisonError says that the chart refused the values, and not that something could not be reached."""
    if _RENDERED_BY_HELM.search(message) or message.lower().startswith(RENDER_ERROR):
        return True
    return bool(_GENERATING.search(message)) and not _UNREACHABLE.search(message)


def _compared_after_refresh(facts: CommitFacts, error: Condition) -> bool:
    if facts.refreshed_at is None:
        return False
    times = [at + _CLOCK_GRAIN for at in (error.since, facts.compared_at) if at is not None]
    return any(at > facts.refreshed_at for at in times)


def _condition(observation: Observation, kind: str) -> Condition | None:
    return next((condition for condition in observation.conditions if condition.type == kind), None)


def _reason(resources: Sequence[ResourceStatus], health: HealthStatus) -> str | None:
    found = next((resource for resource in resources if resource.health is health and resource.message), None)
    return f"{found.kind} {found.name}: {found.message}" if found else None


def _runs(image: Image, references: Sequence[str]) -> bool:
    """Whether one of the running references is this image: by digest when it has one, else by tag."""
    for reference in references:
        named, _, digest = reference.partition("@")
        last = named.rsplit("/", 1)[-1]
        tag = last.partition(":")[2]
        repository = named[: -len(tag) - 1] if tag else named
        if repository == image.repository and (digest == image.digest if image.digest else tag == image.tag):
            return True
    return False
