"""Commits and what stands at a head, by project and SHA, through the index."""

from collections.abc import Mapping, Sequence

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from api.reading.heads import Flights, heads_of
from gitops.commits import CommitRecord, DeploymentRecord, ImageChange
from jobs.heads import Head

CommitKey = tuple[str, str]
"""project, revision"""
Current = Mapping[tuple[str, str], DeploymentRecord]
Newest = Mapping[tuple[str, str], CommitRecord]


def commits_of(ports: Ports, flights: Flights, keys: Sequence[CommitKey]) -> list[CommitRecord | None]:
    """Each commit by full or unique short SHA, in order; one question to the index per project.

    A project whose history lacks one of them is fetched once: the event that named it may be ahead of the mirror.
    """
    projects = sorted({project for project, _ in keys})
    heads = dict(zip(projects, heads_of(ports, flights, projects), strict=True))
    found: dict[CommitKey, CommitRecord] = {}
    for project, head in heads.items():
        wanted = [revision for own, revision in keys if own == project]
        known = _find(ports, project, head, wanted)
        if len(known) < len(set(wanted)) and head.sha is not None and not head.stale:
            known = _find(ports, project, flights.fetch(project), wanted) or known
        found |= {(project, revision): record for revision, record in known.items()}
    return [found.get(key) for key in keys]


def _find(ports: Ports, project: str, head: Head, revisions: Sequence[str]) -> Mapping[str, CommitRecord]:
    try:
        return ports.history.find(project, head.sha, revisions) if head.sha else {}
    except MissingCommit:
        return {}


def head_commit(ports: Ports, project: str, sha: str) -> CommitRecord | None:
    """The commit that was the head when somebody asked, also when history was rewritten since; None when it is lost."""
    return _find(ports, project, Head(sha), [sha]).get(sha)


def current_of(ports: Ports, project: str, sha: str) -> Current:
    """What stands at a head; nothing when the mirror lost the commit meanwhile."""
    try:
        return ports.history.current(project, sha)
    except MissingCommit:
        return {}


def deployment(record: CommitRecord, change: ImageChange, current: Current) -> DeploymentRecord | None:
    """What one image change of a commit deployed; None when it took the image away."""
    if change.after is None:
        return None
    standing = current.get((change.environment, change.service))
    return DeploymentRecord(
        environment=change.environment,
        service=change.service,
        image=change.after,
        previous=change.before,
        commit=record,
        current=standing is not None and standing.commit.git.sha == record.git.sha,
    )
