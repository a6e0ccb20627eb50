"""Gates judged at admission: refuse at once what is closed by the mirror and no queued change could open.

The commit point judges again; a change that cannot be carried out for any other reason is left to it.
"""

from datetime import UTC, datetime

from adapters.records import JobRecord
from adapters.wiring import Ports
from gitops import gates, repository
from gitops.changes import Actor, Change, Context, JobKind
from gitops.problems import GateClosed, Refused
from jobs import heads

_GATED = {JobKind.DEPLOY, JobKind.PROMOTE}


def judge_gates(ports: Ports, actor: Actor, change: Change, reason: str | None) -> None:
    """Raise Refused(GateClosed) for a gate that stays closed, InvalidInput for an override without a reason."""
    if change.KIND not in _GATED:
        return
    head = heads.current(ports, change.project)
    if head.sha is None or head.stale:
        return
    tree = ports.repositories.snapshot(change.project, head.sha)
    if not repository.read_environment(tree, change.environments[0]).holds:
        return
    context = Context(datetime.now(UTC), head.sha, actor, ports.charts, reason)
    try:
        draft = change.apply(tree, context)
    except Refused:
        return
    try:
        gates.passed(draft, context)
    except Refused as refused:
        ahead = ports.ledger.unfinished([change.project]).get(change.project, ())
        if not isinstance(refused.problem, GateClosed) or not any(_may_open(job, change) for job in ahead):
            raise


def _may_open(job: JobRecord, change: Change) -> bool:
    """Whether another job could release the hold, or leave nothing to do; without environments it is about base."""
    return not job.environments or bool({*job.environments} & {*change.environments})
