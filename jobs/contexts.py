"""What a change may use besides the tree it is carried out on, gathered from the ports."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from adapters.wiring import Ports
from gitops.changes import Actor, Context, FoundTag
from gitops.commits import CommitFilter, Image
from gitops.tree import Tree

_MOST_LATER: Final = 200
"""Commits that changed one file since another commit, as far as anybody wants to know."""


def context_at(
    ports: Ports,
    project: str,
    tip: str,
    actor: Actor,
    reason: str | None,
    head: str,
    find_tag: Callable[[Image], FoundTag] | None = None,
    ahead: Sequence[str] = (),
) -> Context:
    """The context of a change on `tip`; older trees are those of the history of `head` ('' for none yet) and
    of the commits `ahead`, made on it in this order up to the tip. Without `find_tag` tags that a registry could be
    asked about stand for what they stood for.
    """

    def presumed(image: Image) -> FoundTag:
        return FoundTag(image.digest if ports.registry and ports.registry.holds(image.repository) else None)

    def at(sha: str) -> Tree | None:
        if sha not in ahead and (not head or sha not in ports.history.find(project, head, [sha])):
            return None
        return ports.repositories.snapshot(project, sha)

    def since(sha: str, path: str) -> Sequence[str]:
        start = ports.history.find(project, head, [sha]).get(sha) if head else None
        if start is None:
            return ()
        found, _ = ports.history.commits(project, head, CommitFilter(path=path), _MOST_LATER, None)
        landed = [record.git.sha for record in reversed(found) if record.number > start.number]
        states = [ports.repositories.snapshot(project, one).oid(path) for one in (head, *ahead)]
        changed = (one for one, (was, became) in zip(ahead, pairwise(states), strict=True) if was != became)
        return [*landed, *changed]

    return Context(datetime.now(UTC), tip, actor, ports.charts, reason, at, since, find_tag or presumed)
