"""Gates judged at admission: refuse at once what is closed by the mirror and no queued change could open.

The commit point judges again; a change that cannot be carried out for any other reason is left to it.
"""

from collections.abc import Iterable

from adapters.records import JobRecord
from adapters.wiring import Ports
from gitops import gates, repository
from gitops.changes import Actor, Change, JobKind
from gitops.pipelines import PIPELINE
from gitops.problems import Conflict, ConflictCode, Gate, GateClosed, Problem, Refused
from jobs import heads
from jobs.contexts import context_at

_GATED = {JobKind.DEPLOY, JobKind.PROMOTE, JobKind.ROLLBACK, JobKind.REVERT}
_WITHOUT_COMMIT = {JobKind.BUILD, JobKind.SYNC}


def judge_gates(ports: Ports, actor: Actor, change: Change, reason: str | None) -> None:
    """Raise Refused(GateClosed) for gates of which one stays closed, InvalidInput for an override without a reason;
    and Conflict CHANGED_SINCE for a revert that nothing ahead could make possible.
    """
    if change.KIND not in _GATED:
        return
    head = heads.current(ports, change.project)
    if head.sha is None or head.stale:
        return
    tree = ports.repositories.snapshot(change.project, head.sha)
    places = change.environments or repository.environment_names(tree)
    held = any(repository.read_environment(tree, name).holds for name in places)
    if change.KIND not in {JobKind.PROMOTE, JobKind.REVERT} and not held:
        return
    context = context_at(ports, change.project, head.sha, actor, reason, head.sha)
    try:
        draft = change.apply(tree, context)
    except Refused as refused:
        if _stays(ports, change, refused.problem):
            raise
        return
    try:
        gates.passed(draft, context)
    except Refused as refused:
        unfinished = ports.ledger.unfinished([change.project]).get(change.project, ())
        ahead = [job for job in unfinished if job.kind not in _WITHOUT_COMMIT]
        problem = refused.problem
        if not isinstance(problem, GateClosed) or not all(_may_open(ahead, gate, change) for gate in problem.gates):
            raise


def _stays(ports: Ports, change: Change, problem: Problem) -> bool:
    """Whether what stops a revert can be told at once: no job ahead could put back what was changed since."""
    changed_since = isinstance(problem, Conflict) and problem.code is ConflictCode.CHANGED_SINCE
    return changed_since and not ports.ledger.unfinished([change.project]).get(change.project)


def _may_open(ahead: Iterable[JobRecord], gate: Gate, change: Change) -> bool:
    """Whether other jobs could change the pipeline, release the hold, or leave nothing to do for what is held."""
    if gate.name == PIPELINE:
        return any(job.kind in {JobKind.PROJECT_UPDATE, JobKind.REVERT} for job in ahead)
    return any(not job.environments or {*job.environments} & {*change.environments} for job in ahead)
