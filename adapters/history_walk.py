"""From commits in a mirror to what they did: first-parent chains, tree differences, a walk and where it begins."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pygit2
from pygit2.enums import DeltaStatus, FileMode

from adapters.ports import MissingCommit
from gitops.commits import CommitRecord, GitCommit
from gitops.history import (
    Delta,
    Effect,
    State,
    environment_names,
    is_values,
    read_values,
    state_of,
    step,
    told_by,
)
from gitops.layout import BASE_VALUES, ENVIRONMENTS, environment_of, environment_values
from gitops.values import Values

_FILES = frozenset({FileMode.BLOB, FileMode.BLOB_EXECUTABLE})
_THERE_OR_NOT = frozenset({DeltaStatus.ADDED, DeltaStatus.DELETED})


class Commits(Protocol):
    """What a walk needs of a repository."""

    def objects(self, project: str) -> pygit2.Repository:
        """The bare repository itself. Raises MissingCommit when there is none."""
        ...

    def git_commit(self, project: str, sha: str) -> GitCommit:
        """One commit, its signature verified. Raises MissingCommit."""
        ...


class Mirror(Commits, Protocol):
    """What the index needs of the mirrors besides."""

    def trust(self) -> str:
        """A name for the set of keys by which signatures are verified now."""
        ...


@dataclass(frozen=True)
class Step:
    """One commit of a walk: its record, the paths it changed, and its effect."""

    record: CommitRecord
    paths: tuple[str, ...]
    effect: Effect


def commit_at(repository: pygit2.Repository, sha: str) -> pygit2.Commit:
    """The commit with this full SHA. Raises MissingCommit."""
    try:
        found = repository[pygit2.Oid(hex=sha)]
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise MissingCommit(sha) from error
    if not isinstance(found, pygit2.Commit):
        raise MissingCommit(sha)
    return found


def unknown_commits(
    repository: pygit2.Repository, head: str, number_of: Callable[[str], int | None]
) -> tuple[list[str], int]:
    """First-parent commits down from `head` that have no number, oldest first, and the number below them (0: none)."""
    found: list[str] = []
    sha = head
    while (number := number_of(sha)) is None:
        found.append(sha)
        parents = commit_at(repository, sha).parent_ids
        if not parents:
            break
        sha = str(parents[0])
    return found[::-1], number or 0


def walk(mirror: Commits, project: str, shas: Iterable[str], number: int, state: State) -> Iterator[tuple[Step, State]]:
    """What each of the commits did, in order; the first follows commit `number`, which left `state`."""
    repository = mirror.objects(project)
    for following, sha in enumerate(shas, number + 1):
        delta = delta_of(repository, commit_at(repository, sha), frozenset(state.environments))
        state, effect = step(state, delta)
        git = mirror.git_commit(project, sha)
        kind, job = told_by(git)
        record = CommitRecord(following, git, kind, effect.environments, effect.services, effect.images, job)
        yield Step(record, delta.paths, effect), state


def delta_of(repository: pygit2.Repository, commit: pygit2.Commit, environments: frozenset[str]) -> Delta:
    """What a commit changed against its first parent, which had these environments."""
    paths: dict[str, None] = {}
    values: dict[str, bytes | None] = {}
    folders = False
    for change in difference(repository, commit).deltas:
        path = change.new_file.raw_path.decode("utf-8", "replace")
        paths[path] = None
        folders = folders or (environment_of(path) is not None and change.status in _THERE_OR_NOT)
        if is_values(path) and change.status is not DeltaStatus.DELETED:
            values[path] = _content(repository, change.new_file.id, change.new_file.mode)
        elif is_values(path):
            values.setdefault(path, None)
    return Delta(tuple(paths), _environments(commit.tree) if folders else environments, values)


def difference(repository: pygit2.Repository, commit: pygit2.Commit, context_lines: int = 0) -> pygit2.Diff:
    """The difference between a commit's tree and its first parent's; a root commit adds everything."""
    if not commit.parent_ids:
        return commit.tree.diff_to_tree(context_lines=context_lines, swap=True)
    before = commit_at(repository, str(commit.parent_ids[0]))
    return before.tree.diff_to_tree(commit.tree, context_lines=context_lines)


def state_at(repository: pygit2.Repository, commit: pygit2.Commit) -> State:
    """The state that a walk to this commit has reached: of a file that is broken now, what it said when it was not."""
    values: dict[str, Values] = {}
    for name in _environments(commit.tree):
        values[name] = _last_readable(repository, commit, environment_values(name), f"{ENVIRONMENTS}/{name}")
    return state_of(_last_readable(repository, commit, BASE_VALUES, ""), values)


def content_at(repository: pygit2.Repository, tree: pygit2.Tree | None, path: str) -> bytes | None:
    """A regular file's bytes; None when there is none."""
    entry = None if tree is None else _entry(tree, path)
    return None if entry is None else _content(repository, entry.id, entry.filemode)


def _last_readable(repository: pygit2.Repository, commit: pygit2.Commit, path: str, folder: str) -> Values:
    broken: pygit2.Oid | None = None
    while not folder or _entry(commit.tree, folder) is not None:
        entry = _entry(commit.tree, path)
        if entry is None or entry.id != broken:
            values = read_values(content_at(repository, commit.tree, path), path)
            if values is not None:
                return values
            broken = entry.id if entry is not None else None
        if not commit.parent_ids:
            break
        commit = commit_at(repository, str(commit.parent_ids[0]))
    return {}


def _environments(tree: pygit2.Tree) -> frozenset[str]:
    folder = _entry(tree, ENVIRONMENTS)
    if not isinstance(folder, pygit2.Tree):
        return frozenset()
    return environment_names(entry.name or "" for entry in folder if entry.filemode == FileMode.TREE)


def _entry(tree: pygit2.Tree, path: str) -> pygit2.Object | None:
    try:
        return tree[path]
    except KeyError:
        return None


def _content(repository: pygit2.Repository, oid: pygit2.Oid, mode: int) -> bytes | None:
    blob = repository[oid] if mode in _FILES else None
    return blob.data if isinstance(blob, pygit2.Blob) else None
