"""A commit that somebody wants to have taken back, as the change that does it."""

from collections.abc import Iterator

from adapters.ports import Snapshot
from adapters.wiring import Ports
from gitops import layout
from gitops.commits import CommitKind
from gitops.names import ProjectName, short
from gitops.operations.reverts import Revert
from gitops.problems import NotFound, Refused, invalid
from gitops.repository import environment_names
from jobs import heads
from jobs.revisions import find_commit


def revert_of(ports: Ports, project: str, revision: str, *, override: bool = False) -> Revert:
    """The change that takes a commit back. Raises Refused: InvalidInput for what cannot be, NotFound."""
    ProjectName.parse(project)
    sha = find_commit(ports, project, revision, "commit")
    record = ports.history.find(project, heads.current(ports, project).sha or "", [sha]).get(sha)
    if record is None:
        raise Refused(NotFound(f"The history of {project} has no commit {sha} any more.", "commit", sha))
    if not record.git.parents or record.kind is CommitKind.PROJECT_CREATE:
        raise invalid("commit", f"{short(sha)} is the beginning of {project}: to undo it, use deleteProject.")
    parent = record.git.parents[0]
    before, after = (ports.repositories.snapshot(project, one) for one in (parent, sha))
    places = tuple(_places(before, after))
    if before.oid("") != after.oid("") and not any(_differs(before, after, place) for place in places):
        message = f"{short(sha)} changed links, submodules or modes of files only: revert it by hand, with git revert."
        raise invalid("commit", message)
    gone = sorted({*environment_names(before)} - {*environment_names(after)})
    return Revert(project, sha, parent, record.git.subject, places, record.services, override, tuple(gone))


def _differs(before: Snapshot, after: Snapshot, place: str) -> bool:
    """Whether what a revert can put back differs: the content of files."""
    paths = {place, *before.files(place), *after.files(place)}
    return any(before.read(path) != after.read(path) for path in paths)


def _places(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """The folders of environments, and what lies beside them, that differ; sorted."""
    for place in _differing(before, after, ""):
        if place == layout.ENVIRONMENTS:
            yield from _differing(before, after, place)
        else:
            yield place


def _differing(before: Snapshot, after: Snapshot, folder: str) -> list[str]:
    names = sorted({*before.folder(folder), *after.folder(folder)})
    paths = [f"{folder}/{name}" if folder else name for name in names]
    return [path for path in paths if before.oid(path) != after.oid(path)]
