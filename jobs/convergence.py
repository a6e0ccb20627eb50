"""Git decides which environments exist: applications are made, replaced and deleted until they agree with the head.

Run by the observer's leader only, one project at a time. Deletes on evidence: the environment was created by a commit
of this history and is not there any more. A missing, empty or rewritten repository deletes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from adapters.ports import Unreachable
from adapters.records import Application, JobRecord, JobState, Outcome, Step
from adapters.wiring import Ports
from gitops import layout, names, repository
from gitops.changes import JobKind
from gitops.problems import Conflict, ConflictCode, Refused
from jobs.outcomes import APPLICATION, CONVERGING, NAMESPACE

DELETIONS_PER_RUN = 50
_log = structlog.get_logger()


def desired(ports: Ports, project: str, head: str) -> Mapping[str, Application]:
    """The applications that Git asks for at `head`, by environment; none for a project that is being deleted."""
    tree = ports.repositories.snapshot(project, head)
    there = repository.read(tree)
    if there.settings.deleting:
        return {}
    newest = ports.history.newest(project, head)
    ephemeral = {environment.name for environment in there.environments if environment.ephemeral}
    return {
        name: Application(project, name, names.namespace(project, name), newest[name, "+"].git.sha, name in ephemeral)
        for name in tree.folder(layout.ENVIRONMENTS)
        if (name, "+") in newest
    }


def converge(ports: Ports, project: str, head: str, waiting: Sequence[JobRecord]) -> None:
    """Bring the delivery to what Git asks for at the host's head, and move the project's waiting jobs on."""
    wanted = desired(ports, project, head)
    try:
        existing = {app.environment: app for app in ports.delivery.applications(project)}
        going = _delete(ports, head, [app for app in existing.values() if not _is_wanted(app, wanted)])
        blocked = {name: f"waiting for the earlier {name} to be gone" for name in going}
        blocked.update(_apply(ports, [app for app in wanted.values() if app.environment not in going]))
    except Unreachable as outage:
        stuck = [_stuck(job, f"waiting for the {outage.component}: {outage}") for job in waiting]
        ports.ledger.settle([outcome for outcome in stuck if outcome])
        raise
    outcomes = [_moved_on(job, wanted, blocked) for job in waiting if job.project == project]
    gone = [name for name in existing if name not in wanted and name not in going]
    if gone:
        ports.statuses.forget(project, gone)
    ports.ledger.settle([outcome for outcome in outcomes if outcome])
    if not wanted and not going and repository.read(ports.repositories.snapshot(project, head)).settings.deleting:
        _end_project(ports, project, waiting)


def settle_archived(ports: Ports, waiting: Iterable[JobRecord]) -> None:
    """End deletions of projects whose repository is gone already: a kill came between archiving and recording."""
    for job in waiting:
        if job.kind is JobKind.PROJECT_DELETE:
            ports.repositories.forget(job.project)
            ports.statuses.forget(job.project)
            ports.ledger.settle([_succeeded(job)])


def _is_wanted(app: Application, wanted: Mapping[str, Application]) -> bool:
    return app.environment in wanted and wanted[app.environment].identity == app.identity


def _apply(ports: Ports, applications: Iterable[Application]) -> Mapping[str, str]:
    """Make them or bring them up to date; what stands in the way of single ones, by environment."""
    blocked = {}
    for app in applications:
        try:
            ports.delivery.apply(app)
        except Refused as refusal:
            blocked[app.environment] = refusal.problem.message
    return blocked


def _delete(ports: Ports, head: str, unwanted: Sequence[Application]) -> set[str]:
    """Delete what history says is over; the environments that are not gone yet."""
    going = set()
    for app in unwanted[:DELETIONS_PER_RUN]:
        if app.identity not in ports.history.find(app.project, head, [app.identity]):
            _log.error(
                "not deleted: its commit is not in this history", project=app.project, environment=app.environment
            )
            going.add(app.environment)
        elif not ports.delivery.delete(app):
            going.add(app.environment)
    return going | {app.environment for app in unwanted[DELETIONS_PER_RUN:]}


def _moved_on(job: JobRecord, wanted: Mapping[str, Application], blocked: Mapping[str, str]) -> Outcome | None:
    """The next state of a waiting job; None when nothing changes."""
    if job.kind not in CONVERGING or job.kind is JobKind.PROJECT_DELETE:
        return None
    stuck = [message for name, message in blocked.items() if not job.environments or name in job.environments]
    if stuck:
        return _stuck(job, "; ".join(stuck))
    if job.kind is JobKind.ENVIRONMENT_CREATE and job.environments[0] not in wanted:
        message = f"The environment {job.environments[0]} was deleted before it was ready."
        return replace(_succeeded(job), state=JobState.FAILED, problem=Conflict(message, ConflictCode.BEING_DELETED))
    return _succeeded(job)


def _stuck(job: JobRecord, message: str) -> Outcome | None:
    waits = any(step.name == APPLICATION and step.state is JobState.WAITING for step in job.steps)
    if not waits or any(step.name == APPLICATION and step.message == message for step in job.steps):
        return None
    steps = tuple(replace(step, message=message) if step.name == APPLICATION else step for step in job.steps)
    return Outcome(job.id, JobState.WAITING, commit=job.commit, head=job.head, steps=steps)


def _succeeded(job: JobRecord) -> Outcome:
    now = datetime.now(UTC)
    messages = {APPLICATION: "the delivery agrees with Git", NAMESPACE: "no cluster: nothing to do"}
    steps = tuple(
        Step(step.name, JobState.SUCCEEDED, messages.get(step.name, step.message), step.started_at, now)
        if step.state is JobState.WAITING
        else step
        for step in job.steps
    )
    return Outcome(job.id, JobState.SUCCEEDED, commit=job.commit, head=job.head, steps=steps)


def _end_project(ports: Ports, project: str, waiting: Sequence[JobRecord]) -> None:
    """Nothing of it runs any more: keep a bundle, remove the repository, then say so."""
    ports.delivery.end(project)
    ports.githost.archive(project)
    settle_archived(ports, [job for job in waiting if job.project == project])
