"""Claimed changes made into commits on one head, in order, each on the tree as the one before left it.

Nothing here pushes or records: a batch can be built again on another head at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from adapters.codec import load_change
from adapters.ports import MissingCommit, Unreachable
from adapters.records import JobRecord, NewCommit
from adapters.wiring import Ports
from gitops import layout, messages
from gitops.changes import Change, Context, Draft
from gitops.problems import JobFailure, Problem, Refused
from gitops.tree import Files, Tree
from jobs.preconditions import check_expected_head

_log = structlog.get_logger()


@dataclass(frozen=True)
class Made:
    """One change as a commit; `environments` are those that it concerns."""

    job: JobRecord
    sha: str
    subject: str
    environments: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """What some jobs come to on `head`: commits in order, jobs with nothing to do, jobs that cannot be."""

    head: str
    made: tuple[Made, ...] = ()
    no_change: tuple[tuple[JobRecord, str], ...] = ()
    """With the subject that the commit would have had."""
    failed: tuple[tuple[JobRecord, Problem], ...] = ()
    written: frozenset[str] = field(default=frozenset())

    @property
    def tip(self) -> str:
        """The last commit, the head itself when there is none."""
        return self.made[-1].sha if self.made else self.head


def build(ports: Ports, jobs: Sequence[JobRecord], head: str) -> Batch:
    """Every job judged and committed on `head` ('' for a repository without a commit). Moves no ref anywhere."""
    batch = Batch(head)
    for job in jobs:
        try:
            batch = _add(ports, batch, job)
        except Refused as refusal:
            batch = replace(batch, failed=(*batch.failed, (job, refusal.problem)))
        except (Unreachable, MissingCommit):
            raise
        except Exception as error:  # noqa: BLE001 - a change that fails fails alone
            _log.exception("change failed unexpectedly", job=job.id)
            batch = replace(batch, failed=(*batch.failed, (job, _unexpected(error))))
    return batch


def _add(ports: Ports, batch: Batch, job: JobRecord) -> Batch:
    change = load_change(job.change)
    if job.expected_head:
        check_expected_head(ports, change, job.expected_head, batch.head, batch.written)
    before = ports.repositories.snapshot(job.project, batch.tip) if batch.tip else Files()
    now = datetime.now(UTC)
    draft = change.apply(before, Context(now, batch.tip, job.actor, ports.charts))
    writes = {path: data for path, data in draft.writes.items() if before.read(path) != data}
    if not writes:
        return replace(batch, no_change=(*batch.no_change, (job, draft.subject)))
    new = NewCommit(_message(job, draft), job.actor.name, job.actor.email, now, writes)
    sha = ports.repositories.commit(job.project, batch.tip, new)
    after = ports.repositories.snapshot(job.project, sha)
    _check_renders(ports, change, before, after, writes)
    made = Made(job, sha, draft.subject, tuple(_concerned(writes, after)))
    return replace(batch, made=(*batch.made, made), written=batch.written | writes.keys())


def _message(job: JobRecord, draft: Draft) -> str:
    origin = [(messages.JOB_ID, job.id), (messages.ACTOR_ID, job.actor.id)]
    reason = [(messages.REASON, job.reason)] if job.reason else []
    return messages.render(draft.subject, draft.body, (*origin, *reason, *draft.trailers))


def _concerned(writes: Mapping[str, bytes | None], after: Tree) -> Iterable[str]:
    """Environments whose folder was written, there or gone; all there are when base/ was."""
    named = {layout.environment_of(path) for path in writes} - {None}
    if any(path.startswith(f"{layout.BASE}/") for path in writes):
        named.update(after.folder(layout.ENVIRONMENTS))
    return sorted(name for name in named if name)


def _check_renders(ports: Ports, change: Change, before: Tree, after: Tree, writes: Mapping[str, bytes | None]) -> None:
    """Raise Refused when the commit breaks an environment; one that it does not touch may have been broken before."""
    touched = {layout.environment_of(path) for path in writes}
    for environment in _concerned(writes, after):
        if after.read(layout.environment_values(environment)) is None:
            continue
        try:
            ports.renderer.render(after, change.project, environment)
        except Refused:
            if environment in touched or _renders(ports, before, change.project, environment):
                raise


def _renders(ports: Ports, tree: Tree, project: str, environment: str) -> bool:
    try:
        ports.renderer.render(tree, project, environment)
    except Refused:
        return False
    return True


def _unexpected(error: Exception) -> Problem:
    """What a job that met a mistake of ours ends with: it alone, not the batch."""
    return JobFailure(f"Carrying out the change failed unexpectedly: {type(error).__name__}.", "commit")
