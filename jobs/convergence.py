"""Git decides which environments exist: namespaces and applications are made, replaced and deleted until they agree
with the head.

Run by the observer's leader only, one project at a time. Deletes on evidence: the environment was created by a commit
of this history and is not there any more. A missing, empty or rewritten repository deletes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

import structlog

from adapters import reading
from adapters.outbound import FORGE_TARGET
from adapters.ports import Unreachable
from adapters.records import Application, JobRecord, Outcome
from adapters.wiring import Ports
from gitops import layout, names, repository
from gitops.changes import JobKind
from gitops.problems import Refused
from jobs import namespaces, project_secrets
from jobs.expiry import lucity
from jobs.outcomes import APPLICATION, NAMESPACE
from jobs.waiting import Block, moved_on, stuck, succeeded

DELETIONS_PER_RUN = 50
_LATER = (APPLICATION, "others are deleted first")
_log = structlog.get_logger()


class Standing(StrEnum):
    """Where a project stands after a run."""

    AGREED = "AGREED"
    LEAVING = "LEAVING"
    """An environment is still on its way out."""
    ENDED = "ENDED"
    """There is no such project any more; one of that name from now on is another."""


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


def converge(ports: Ports, project: str, head: str, waiting: Sequence[JobRecord]) -> Standing:
    """Bring delivery and cluster to what Git asks for at the host's head, and move the project's waiting jobs on."""
    wanted = desired(ports, project, head)
    try:
        existing = _existing(ports, project)
        wanted = _kept(ports, head, wanted, existing)
        blocks = _delete(ports, head, [app for app in existing if not _is_wanted(app, wanted)], wanted)
        going = set(blocks)
        blocks.update(_make(ports, [app for name, app in wanted.items() if name not in going]))
    except Unreachable as outage:
        _say_outage(ports, waiting, outage)
        if outage.component == "cluster":
            return Standing.AGREED
        raise
    ended = _agreed(ports)
    _settle(ports, [moved_on(job, wanted, blocks, ended) for job in waiting])
    gone = {app.environment for app in existing} - wanted.keys() - going
    if gone:
        ports.statuses.forget(project, sorted(gone))
    if not wanted and not going and repository.read(ports.repositories.snapshot(project, head)).settings.deleting:
        _end_project(ports, project, waiting)
        return Standing.ENDED
    return Standing.LEAVING if going else Standing.AGREED


def settle_archived(ports: Ports, project: str, waiting: Sequence[JobRecord]) -> None:
    """End the deletions of a project whose repository is gone already: a kill came between archiving and recording."""
    if any(job.kind is JobKind.PROJECT_DELETE for job in waiting):
        _forget(ports, project, waiting)


def tell_of_loss(ports: Ports, project: str) -> None:
    """Say that a repository is gone whose environments are not: nothing is deleted without evidence."""
    if left := sorted({application.environment for application in _existing(ports, project)}):
        _log.error("the repository is gone, its environments are kept", project=project, environments=left)


def _agreed(ports: Ports) -> Mapping[str, str]:
    return {APPLICATION: "the delivery agrees with Git", NAMESPACE: namespaces.agreed(ports)}


def _settle(ports: Ports, outcomes: Iterable[Outcome | None]) -> None:
    ports.ledger.settle([outcome for outcome in outcomes if outcome])


def _say_outage(ports: Ports, waiting: Iterable[JobRecord], outage: Unreachable) -> None:
    step = NAMESPACE if outage.component == "cluster" else APPLICATION
    said = {step: namespaces.waiting(outage)}
    _settle(ports, [stuck(job, said, {}) for job in waiting])


def _existing(ports: Ports, project: str) -> Sequence[Application]:
    """What is there of a project, as application or as namespace, once for each environment and identity."""
    found = [*namespaces.existing(ports, project), *ports.delivery.applications(project)]
    return list({(app.environment, app.identity): app for app in found}.values())


def _kept(
    ports: Ports, head: str, wanted: Mapping[str, Application], existing: Sequence[Application]
) -> Mapping[str, Application]:
    """What is wanted, under the identity it has already where a merge by hand put the commit that created it beside the
    first-parent line: nothing was created anew.
    """
    there = {(app.environment, app.identity) for app in existing}
    beside = {
        app.environment: app.identity
        for app in existing
        if app.environment in wanted
        and (app.environment, wanted[app.environment].identity) not in there
        and not _on_the_line(ports, head, app)
        and _contains(ports, head, app)
    }
    return {name: replace(app, identity=beside.get(name, app.identity)) for name, app in wanted.items()}


def _on_the_line(ports: Ports, head: str, app: Application) -> bool:
    return app.identity in ports.history.find(app.project, head, [app.identity])


def _contains(ports: Ports, head: str, app: Application) -> bool:
    """Whether the head descends from the commit that created this, on whatever way."""
    return ports.repositories.log(app.project, app.identity, head) is not None


def _is_wanted(app: Application, wanted: Mapping[str, Application]) -> bool:
    return app.environment in wanted and wanted[app.environment].identity == app.identity


def _make(ports: Ports, applications: Iterable[Application]) -> Mapping[str, Block]:
    """Make them or bring them up to date, each in its namespace; what stands in the way of single ones."""
    blocks = {}
    for app in applications:
        missing = namespaces.make(ports, app)
        if missing is not None:
            blocks[app.environment] = Block(NAMESPACE, missing)
            continue
        try:
            ports.delivery.apply(app)
        except Refused as refusal:
            blocks[app.environment] = Block(APPLICATION, refusal.problem.message)
    return blocks


def _delete(ports: Ports, head: str, unwanted: Sequence[Application], wanted: Collection[str]) -> dict[str, Block]:
    """Delete what history says is over; what each environment that is not gone yet waits for."""
    blocks = {}
    for number, app in enumerate(unwanted):
        left = _removed(ports, head, app) if number < DELETIONS_PER_RUN else _LATER
        if left is None:
            continue
        step, message = left
        earlier = app.environment in wanted
        message = f"waiting for the earlier {app.environment} to be gone: {message}" if earlier else message
        blocks[app.environment] = Block(step, message, earlier)
    return blocks


def _removed(ports: Ports, head: str, app: Application) -> tuple[str, str] | None:
    """Delete the application, then the namespace; the step that is not done yet and what it waits for."""
    if not _on_the_line(ports, head, app) and not _contains(ports, head, app):
        message = "not deleted: the commit that created it is not in this history"
        _log.error(message, project=app.project, environment=app.environment)
        return APPLICATION, message
    if not ports.delivery.delete(app):
        return APPLICATION, f"the application of {app.environment} is going"
    kept = namespaces.remove(ports, app)
    return None if kept is None else (NAMESPACE, kept)


def _end_project(ports: Ports, project: str, waiting: Sequence[JobRecord]) -> None:
    """Nothing of it runs any more: remove its credentials, keep a bundle, remove the repository, then say so. No job
    may be waiting for that: Redis may have lost it, or a person may have marked the project by hand.
    """
    _forget_credentials(ports, project)
    ports.delivery.end(project)
    ports.githost.archive(project)
    _forget(ports, project, waiting)


def _forget(ports: Ports, project: str, waiting: Iterable[JobRecord]) -> None:
    """Remove what is kept of a project outside its repository, which is gone, and end the jobs that wait for that."""
    _forget_credentials(ports, project)
    ports.repositories.forget(project)
    ports.statuses.forget(project)
    _settle(ports, [succeeded(job, _agreed(ports)) for job in waiting if job.kind is JobKind.PROJECT_DELETE])


def _forget_credentials(ports: Ports, project: str) -> None:
    project_secrets.forget(ports.secrets, project)
    reading.forget(ports.tokens, ports.secrets, lucity(ports), project)
    ports.outbound.forget(f"{FORGE_TARGET}{project}")
