"""Plans judged and made on what the ports know."""

from dataclasses import replace

from adapters.codec import dump_change
from adapters.records import Manifests
from adapters.wiring import Ports
from gitops import plans
from gitops.changes import Actor, Change
from gitops.commits import CommitRecord
from gitops.operations.promotions import Promote
from gitops.plans import Plan, Plannable
from gitops.problems import Conflict, ConflictCode, InvalidRepository, NotFound, PlanStale, Refused
from gitops.tree import Overlaid, Tree
from jobs import heads
from jobs.contexts import context_at


def check_plan(change: Change, tree: Tree) -> None:
    """Raise Refused(PlanStale) with the change, so that it can be planned anew."""
    try:
        plans.check_plan(change, tree)
    except Refused as refused:
        if isinstance(refused.problem, PlanStale):
            raise Refused(replace(refused.problem, change=dump_change(change))) from None
        raise


def judge_plan(ports: Ports, change: Change) -> None:
    """Raise Refused(PlanStale) for a plan that the mirror knows to be stale; the commit point judges again."""
    if not isinstance(change, Plannable) or change.plan_token is None:
        return
    head = heads.current(ports, change.project)
    if head.sha is not None and not head.stale:
        check_plan(change, ports.repositories.snapshot(change.project, head.sha))


def make_plan(ports: Ports, actor: Actor, change: Plannable, reason: str | None) -> tuple[Plan, CommitRecord]:
    """The plan on the project's head, and that commit; `reason` as the change will give it. Raises Refused as the
    change would, Unreachable.
    """
    change.validate()
    head = heads.current(ports, change.project).sha
    record = ports.history.find(change.project, head, [head]).get(head) if head else None
    if head is None or record is None:
        raise _no_project(change)
    tree = ports.repositories.snapshot(change.project, head)
    try:
        plan = plans.plan(change, tree, context_at(ports, change.project, head, actor, reason, head))
    except Refused as refused:
        if isinstance(refused.problem, Conflict) and refused.problem.code is ConflictCode.BEING_DELETED:
            raise _no_project(change) from None
        if isinstance(refused.problem, InvalidRepository) and refused.problem.commit_sha is None:
            raise Refused(replace(refused.problem, commit_sha=head)) from None
        raise
    return replace(plan, warnings=(*plan.warnings, *_newer(ports, plan, head))), record


def manifests(ports: Ports, plan: Plan, tree: Tree) -> tuple[Manifests, Manifests]:
    """What Helm makes of the environment before and after. Raises Refused when the outcome cannot be rendered."""
    project, environment = plan.change.project, plan.change.environments[0]
    try:
        before = ports.renderer.render(tree, project, environment)
    except Refused:
        before = Manifests({})
    return before, ports.renderer.render(Overlaid(tree, plan.draft.writes), project, environment)


def _newer(ports: Ports, plan: Plan, head: str) -> list[str]:
    """Where what runs in the target was put there after what the source runs."""
    change = plan.change
    if not isinstance(change, Promote):
        return []
    current = ports.history.current(change.project, head)
    told = []
    for item in plan.items:
        source, target = (current.get((place, item.service)) for place in (change.source, change.target))
        if source and target and item.before != item.after and target.commit.number > source.commit.number:
            told.append(f"{item.service} was put into {change.target} later than into {change.source}")
    return told


def _no_project(change: Change) -> Refused:
    message = f"There is no project {change.project}, or it is being deleted: check the name."
    return Refused(NotFound(message, "project", change.project))
