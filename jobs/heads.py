"""Which commit a project stands at, and moving that knowledge forward exactly once.

The head recorded in the event log is what all readers agree on; whoever sees a newer one on the host advances it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.ports import MissingCommit, Unreachable
from adapters.wiring import Ports
from gitops.problems import NotFound, Refused

_TRIES = 5


@dataclass(frozen=True)
class Head:
    """`sha` None: the project has no commit, or does not exist. `stale`: the Git host could not be asked."""

    sha: str | None
    stale: bool = False


def holds(ports: Ports, project: str, sha: str) -> bool:
    """Whether our mirror can read this commit."""
    try:
        ports.repositories.snapshot(project, sha)
    except MissingCommit:
        return False
    return True


def current(ports: Ports, project: str) -> Head:
    """The head to read at: the recorded one, fetched when the mirror lacks it; without Redis, what the host says."""
    try:
        recorded = ports.events.heads([project]).get(project)
    except Unreachable:
        recorded = None
    if recorded and holds(ports, project, recorded):
        return Head(recorded)
    try:
        return fetched(ports, project) if project in ports.githost.heads([project]) else Head(None)
    except Unreachable:
        return Head(ports.repositories.head(project), stale=True)


def require(ports: Ports, project: str) -> None:
    """Raise Refused(NotFound) for a project that is not there."""
    if current(ports, project).sha is None:
        message = f"There is no project {project}: create it first, or check the name."
        raise Refused(NotFound(message, "project", project))


def fetched(ports: Ports, project: str) -> Head:
    """The head on the host, which our mirror holds then. Raises Unreachable."""
    try:
        return Head(ports.repositories.fetch(project))
    except Refused as refusal:
        if isinstance(refusal.problem, NotFound):
            return Head(None)
        raise


def notice(ports: Ports, project: str) -> str | None:
    """Look at the host's head and advance the recorded one to it, with the commit events between; the head now.

    Safe to call at any time by anybody: a head that was read late never moves the record backwards.
    """
    for _ in range(_TRIES):
        known = ports.events.heads([project]).get(project)
        found = ports.githost.heads([project]).get(project)
        if found is None or found == known:
            return found
        if not holds(ports, project, found):
            ports.repositories.fetch(project)
        if _advance(ports, project, known, found):
            return found
    return None


def advance(ports: Ports, project: str, old: str, new: str, commits: Sequence[tuple[str, Sequence[str]]]) -> None:
    """After our own push from `old` to `new`; when somebody else moved the record meanwhile, look again."""
    known = ports.events.heads([project]).get(project)
    if known is None and old == "":
        known = ""
    if known != old or not ports.events.advance_head(project, old, new, commits):
        notice(ports, project)


def _advance(ports: Ports, project: str, known: str | None, found: str) -> bool:
    if known is None:
        return ports.events.advance_head(project, None, found, [])
    between = ports.repositories.log(project, known or None, found)
    if between is not None:
        records = ports.history.find(project, found, [commit.sha for commit in between])
        commits = [
            (commit.sha, records[commit.sha].environments if commit.sha in records else ()) for commit in between
        ]
        return ports.events.advance_head(project, known, found, commits)
    if ports.githost.heads([project]).get(project) != found:
        return False
    return ports.events.advance_head(project, known, found, [], rewritten=True)
