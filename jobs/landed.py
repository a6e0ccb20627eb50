"""Jobs without a record in Redis, told by the commits that carry their ids."""

from adapters.codec import dump_change
from adapters.records import JobRecord, JobState
from gitops import messages
from gitops.changes import Actor, Change, JobKind
from gitops.commits import CommitRecord
from gitops.subjects import ELLIPSIS, Action, Subject, parse_subject

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


def contradicts(commit: CommitRecord, change: Change, reason: str | None) -> bool:
    """Whether this trusted commit was made for another request than this change: by its kind, reason, environment,
    services, tags and keys. What no commit tells, such as a variable's value, is taken to be the same.
    """
    message = messages.parse(commit.git.message)
    made, asked = message.form, parse_subject(change.summary())
    if made is None:
        return False
    elsewhere = made.environment is not None and made.environment not in change.environments
    other_reason = message.first(messages.REASON) != (messages.fold(reason or "") or None)
    return (
        _KINDS[made.action] is not change.KIND
        or other_reason
        or (elsewhere and bool(change.environments))
        or (asked is not None and not _may_become(asked, made))
    )


def _may_become(asked: Subject, made: Subject) -> bool:
    """Whether a commit's subject can come of what was asked: it leaves out what needed no change."""
    if asked.action is not made.action or asked.environment != made.environment:
        return False
    if asked.action is Action.SCALE and asked.value != made.value:
        return False
    if asked.action is Action.ENV_CREATE and asked.origin != made.origin:
        return False
    tags, keys = dict(asked.images), {*asked.set, *asked.unset}
    named = not tags or all(_same_tag(tags.get(name), tag) for name, tag in made.images)
    return named and (not keys or {*made.set, *made.unset} <= keys)


def _same_tag(asked: str | None, made: str) -> bool:
    return asked is not None and (asked in {"", made} or ELLIPSIS in made)
