"""Gates: what a change that puts something into an environment must pass, and who may pass when they are closed."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from gitops.changes import ActorKind, Context, Draft
from gitops.holds import Hold, holds_of
from gitops.layout import BASE_VALUES, environment_settings, environment_values
from gitops.messages import OVERRIDE
from gitops.pipelines import PIPELINE
from gitops.problems import Gate, GateClosed, Refused, invalid
from gitops.repository import SERVICES, environment_names, read_settings
from gitops.times import rfc3339
from gitops.tree import Tree, Writes
from gitops.values import changes, merge
from gitops.yamltext import parse

HOLD: Final = "hold"


def standing_holds(tree: Tree, environment: str, now: datetime) -> tuple[Hold, ...]:
    """The holds that count. Raises Refused(InvalidRepository): of what cannot be read, nothing may be assumed."""
    path = environment_settings(environment)
    holds, problems = holds_of(parse(tree.read(path) or b"", path), path)
    if problems:
        raise Refused(problems[0])
    return tuple(hold for hold in holds if hold.stands(now))


def hold_gates(tree: Tree, environment: str, writes: Writes, now: datetime) -> tuple[Gate, ...]:
    """One closed gate for each hold on what these writes would change in the environment. Raises Refused."""
    holds = standing_holds(tree, environment, now)
    path = environment_values(environment)
    if not holds or path not in writes:
        return ()
    services = changed_services(tree, path, writes[path] or b"")
    everything = None in services
    stopping = [hold for hold in holds if hold.service is None or hold.service in services or everything]
    return tuple(_gate(hold, environment) for hold in stopping) if services else ()


def changed_services(tree: Tree, path: str, written: bytes) -> set[str | None]:
    """Services whose effective values a write to an environment's values changes; None stands for what concerns all,
    or cannot be told because the file cannot be read.
    """
    try:
        base = parse(tree.read(BASE_VALUES) or b"", BASE_VALUES).data
        before, after = (merge(base, parse(data, path).data) for data in (tree.read(path) or b"", written))
    except Refused:
        return {None}
    keys = (change.key for change in changes(before, after))
    return {key[2] if key[:2] == SERVICES and len(key) > len(SERVICES) else None for key in keys}


def pipeline_gate(tree: Tree, source: str, target: str) -> Gate:
    """Open when the project's pipeline leads from one environment to the other. Ways from and to environments that
    were deleted stay in it, for they come back with them; of what can be done they are no part.
    """
    settings, problems = read_settings(tree)
    standing = {*environment_names(tree)}
    there = (edge for edge in settings.pipeline if standing.issuperset(edge))
    ways = ", ".join(f"{one} → {other}" for one, other in there) or "none at all"
    if problems:
        ways = f"none that could be read, for {problems[0].message}"
    if (source, target) in settings.pipeline:
        return Gate(PIPELINE, open=True, message=f"the pipeline leads from {source} to {target}")
    return Gate(PIPELINE, open=False, message=f"the pipeline has no way from {source} to {target}; it has {ways}")


def passed(draft: Draft, context: Context) -> Draft:
    """The draft, with an Override trailer for each gate that was passed. Raises Refused: GateClosed, and InvalidInput
    for an override without a reason.
    """
    closed = tuple(gate for gate in draft.gates if not gate.open)
    if not closed:
        return draft
    if not draft.override:
        raise _refusal(closed, "A person may pass with override and a reason.")
    if context.actor.kind is ActorKind.AUTOMATION:
        raise _refusal(closed, "This token is for automation: only a person may override.")
    if not context.reason:
        raise invalid("reason", "An override needs a reason: say why this may pass.")
    names = dict.fromkeys(gate.name for gate in closed)
    return replace(draft, trailers=(*draft.trailers, *((OVERRIDE, f"{name}: {context.reason}") for name in names)))


def _gate(hold: Hold, environment: str) -> Gate:
    what = hold.service or "everything"
    until = f" until {rfc3339(hold.expires_at)}" if hold.expires_at else ""
    who = f" by {hold.actor.name}" if hold.actor.name else ""
    message = f"{what} is held in {environment}{who} since {rfc3339(hold.since)}{until}: {hold.reason}"
    return Gate(HOLD, open=False, message=message, next_open_at=hold.expires_at)


def _refusal(closed: Iterable[Gate], advice: str) -> Refused:
    gates = tuple(closed)
    moments = [gate.next_open_at for gate in gates]
    last = max((moment for moment in moments if moment), default=None) if all(moments) else None
    return Refused(GateClosed(f"{'; '.join(gate.message for gate in gates)}. {advice}", gates, last))
