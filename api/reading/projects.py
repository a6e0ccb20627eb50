"""Projects in pages."""

import base64
import binascii
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime

from adapters.wiring import Ports
from api.reading.heads import Flights, heads_of
from gitops.commits import CommitFilter, CommitKind
from gitops.names import ProjectName
from gitops.problems import Refused, invalid
from jobs.heads import Head


@dataclass(frozen=True)
class ProjectPage:
    """Names with their heads, in the order of names."""

    projects: tuple[tuple[str, Head], ...]
    has_next: bool


def page(ports: Ports, flights: Flights, first: int, after: str | None, contains: str | None) -> ProjectPage:
    """One page of the projects that have a head.

    Raises Refused(InvalidInput) for a cursor that is none, Unreachable('git') when the host cannot name repositories.
    """
    names = [name for name in ports.githost.projects() if ProjectName.fits(name) and (contains or "").lower() in name]
    names = names[bisect_right(names, _name_of(after)) :] if after is not None else names
    found: list[tuple[str, Head]] = []
    while names and len(found) <= first:
        step, names = names[: first + 1], names[first + 1 :]
        heads = zip(step, heads_of(ports, flights, step), strict=True)
        found += [(name, head) for name, head in heads if head.sha is not None]
    return ProjectPage(tuple(found[:first]), len(found) > first)


def cursor(name: str) -> str:
    """The cursor of a project."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def created_at(ports: Ports, project: str, head: str) -> datetime | None:
    """When the project was created; None for a repository that Lucity did not make."""
    where = CommitFilter(kinds=(CommitKind.PROJECT_CREATE,))
    found, _ = ports.history.commits(project, head, where, 1, None)
    return found[0].git.committed_at if found else None


def _name_of(after: str) -> str:
    try:
        padded = after + "=" * (-len(after) % 4)
        return ProjectName.parse(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError, Refused):
        raise invalid("after", f"{after[:60]!r} is no cursor: use the endCursor of a page.") from None
