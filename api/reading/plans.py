"""Plans with all that is shown of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from adapters.codec import load_change
from adapters.wiring import Ports
from api.reading.differences import FileDelta, changes_in, deltas_of, text_of
from gitops.changes import Actor
from gitops.commits import CommitRecord
from gitops.plans import Plan, Plannable
from gitops.problems import Refused
from gitops.redactions import Redaction
from gitops.tree import Overlaid, Tree
from jobs.plans import make_plan, manifests


@dataclass(frozen=True)
class Shown:
    """A plan on the commit `base`; what looks secret is hidden in all that is shown."""

    plan: Plan
    base: CommitRecord
    deltas: Sequence[FileDelta]
    """The files of which changes are told."""
    values_diff: str
    manifest_diff: str
    warnings: tuple[str, ...]


def show(ports: Ports, actor: Actor, change: Plannable, reason: str | None = None) -> Shown:
    """Plan a change on the project's head. Raises Refused and Unreachable."""
    plan, base = make_plan(ports, actor, change, reason)
    tree = ports.repositories.snapshot(change.project, base.git.sha)
    paths = [(path, path) for path in sorted(plan.draft.writes)]
    deltas = list(deltas_of(tree, Overlaid(tree, plan.draft.writes), paths))
    shown = without_secrets(deltas)
    diff, trouble = _manifest_diff(ports, plan, tree)
    # Hidden as a whole, a file that cannot be read would look like an empty one.
    told = [hidden for one, hidden in zip(deltas, shown, strict=True) if changes_in([one])]
    return Shown(plan, base, told, text_of(shown), diff, (*plan.warnings, *trouble))


def show_again(ports: Ports, actor: Actor, text: str) -> Shown | None:
    """The plan of a change that is kept as text; None when it cannot be carried out any more."""
    try:
        change = load_change(text)
        return show(ports, actor, change) if isinstance(change, Plannable) else None
    except (Refused, ValueError):
        return None


def without_secrets(deltas: Iterable[FileDelta]) -> list[FileDelta]:
    """The same files of values with what looks secret hidden: equal values alike, in all of them."""
    redaction = Redaction()

    def shown(data: bytes | None, path: str) -> bytes | None:
        return None if data is None else redaction.values(data, path).encode()

    return [replace(one, before=shown(one.before, one.old_path), after=shown(one.after, one.path)) for one in deltas]


def _manifest_diff(ports: Ports, plan: Plan, tree: Tree) -> tuple[str, tuple[str, ...]]:
    try:
        before, after = manifests(ports, plan, tree)
    except Refused as refused:
        return "", (f"this cannot be rendered: {refused.problem.message}",)
    redaction = Redaction()
    deltas = []
    for path in sorted(
        path for path in {*before.files, *after.files} if before.files.get(path) != after.files.get(path)
    ):
        old, new = (_shown(redaction, one.files.get(path)) for one in (before, after))
        if old != new:
            deltas.append(FileDelta(path, path, old, new))
    return text_of(deltas), ()


def _shown(redaction: Redaction, text: str | None) -> bytes | None:
    return None if text is None else redaction.manifests(text).encode()
