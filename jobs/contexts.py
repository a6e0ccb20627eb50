"""What a change may use besides the tree it is carried out on, gathered from the ports."""

from datetime import UTC, datetime

from adapters.wiring import Ports
from gitops.changes import Actor, Context
from gitops.tree import Tree


def context_at(ports: Ports, project: str, tip: str, actor: Actor, reason: str | None, head: str) -> Context:
    """The context of a change on `tip`; older trees are those of the history of `head` ('' for none yet)."""

    def at(sha: str) -> Tree | None:
        if not head or sha not in ports.history.find(project, head, [sha]):
            return None
        return ports.repositories.snapshot(project, sha)

    return Context(datetime.now(UTC), tip, actor, ports.charts, reason, at)
