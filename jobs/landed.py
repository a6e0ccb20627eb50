"""Jobs without a record in Redis, told by the commits that carry their ids."""

from adapters.codec import dump_change
from adapters.records import JobRecord, JobState
from gitops import messages
from gitops.changes import Actor, Change, JobKind
from gitops.commits import CommitRecord
from gitops.subjects import Action

_KINDS = {
    Action.DEPLOY: JobKind.DEPLOY,
    Action.PROMOTE: JobKind.PROMOTE,
    Action.PROJECT_CREATE: JobKind.PROJECT_CREATE,
    Action.PROJECT_UPDATE: JobKind.PROJECT_UPDATE,
    Action.PROJECT_DELETE: JobKind.PROJECT_DELETE,
    Action.ENV_CREATE: JobKind.ENVIRONMENT_CREATE,
    Action.ENV_DELETE: JobKind.ENVIRONMENT_DELETE,
    Action.ADD_SERVICE: JobKind.SERVICE_ADD,
    Action.UPDATE_SERVICE: JobKind.SERVICE_UPDATE,
    Action.REMOVE_SERVICE: JobKind.SERVICE_REMOVE,
    Action.SCALE: JobKind.CONFIG,
    Action.SET: JobKind.CONFIG,
    Action.RESTART: JobKind.RESTART,
    Action.EXPIRE: JobKind.ENVIRONMENT_EXTEND,
    Action.ROLLBACK: JobKind.ROLLBACK,
    Action.ROLLBACK_ENVIRONMENT: JobKind.ROLLBACK,
    Action.REVERT: JobKind.REVERT,
    Action.HOLD: JobKind.HOLD,
    Action.RELEASE: JobKind.RELEASE_HOLD,
    Action.CHART: JobKind.CHART,
}


def landed_record(
    job_id: str, project: str, commit: CommitRecord, head: str, change: Change | None = None
) -> JobRecord:
    """The job that made this trusted commit. It SUCCEEDED: what Redis knew besides is lost."""
    git = commit.git
    message = messages.parse(git.message)
    kind = _KINDS[message.form.action] if message.form else JobKind.CONFIG
    return JobRecord(
        id=job_id,
        kind=kind if change is None else change.KIND,
        project=project,
        environments=commit.environments,
        services=commit.services,
        summary=git.subject,
        actor=Actor(message.first(messages.ACTOR_ID) or "", git.author.name, git.author.email),
        change="" if change is None else dump_change(change),
        fingerprint="",
        created_at=git.committed_at,
        reason=message.first(messages.REASON),
        state=JobState.SUCCEEDED,
        started_at=git.committed_at,
        finished_at=git.committed_at,
        attempts=1,
        commit=git.sha,
        head=head,
    )
