"""What the status of a commit says of a build or a deployment. Pure."""

from typing import assert_never

from adapters.forges.calls import LONGEST_DESCRIPTION, Status, StatusState
from adapters.records import JobRecord, JobState, RolloutRecord
from gitops.messages import fold
from gitops.rollouts import RolloutPhase


def of_build(origin: str, job: JobRecord) -> Status:
    """The status `lucity/build/<service>`."""
    state, text = _job(job, "building", "nothing new to deploy")
    return _status(f"lucity/build/{job.services[0]}", state, text, origin)


def of_deploy(origin: str, environment: str, service: str, job: JobRecord) -> Status:
    """The status `lucity/<environment>/<service>` of a deployment that has no commit."""
    state, text = _job(job, "deploying", "runs already")
    return _status(f"lucity/{environment}/{service}", state, text, origin)


def of_rollout(origin: str, environment: str, service: str, record: RolloutRecord | None) -> Status:
    """The status `lucity/<environment>/<service>`; without a verdict it is being waited for."""
    state, text = StatusState.PENDING, "waiting for the delivery"
    if record is not None:
        state, text = _rollout(record.rollout.phase)
        text = f"{text}: {record.rollout.message}" if record.rollout.message else text
    return _status(f"lucity/{environment}/{service}", state, text, origin)


def _job(job: JobRecord, doing: str, nothing: str) -> tuple[StatusState, str]:
    match job.state:
        case JobState.QUEUED | JobState.WAITING:
            return StatusState.PENDING, "queued"
        case JobState.RUNNING:
            return StatusState.PENDING, doing
        case JobState.SUCCEEDED:
            return StatusState.SUCCESS, nothing if job.no_change else job.summary
        case JobState.FAILED:
            return StatusState.FAILURE, job.problem.message if job.problem else "failed"
        case JobState.CANCELED:
            return StatusState.ERROR, "cancelled"
        case JobState.SUPERSEDED:
            return StatusState.SUCCESS, "superseded by a later push"
        case _:
            assert_never(job.state)


def _rollout(phase: RolloutPhase) -> tuple[StatusState, str]:
    said = phase.value.lower().replace("_", " ")
    match phase:
        case RolloutPhase.PENDING | RolloutPhase.SYNCING | RolloutPhase.ROLLING_OUT:
            return StatusState.PENDING, said
        case RolloutPhase.SUSPENDED | RolloutPhase.UNKNOWN:
            return StatusState.PENDING, said
        case RolloutPhase.SYNCED | RolloutPhase.DEPLOYED | RolloutPhase.SUPERSEDED:
            return StatusState.SUCCESS, said
        case RolloutPhase.DEGRADED | RolloutPhase.SYNC_FAILED | RolloutPhase.RENDER_FAILED | RolloutPhase.TIMED_OUT:
            return StatusState.FAILURE, said
        case _:
            assert_never(phase)


def _status(context: str, state: StatusState, text: str, url: str) -> Status:
    words = fold(text)
    cut = words if len(words) <= LONGEST_DESCRIPTION else words[: LONGEST_DESCRIPTION - 1] + "…"
    return Status(context, state, cut, url)
