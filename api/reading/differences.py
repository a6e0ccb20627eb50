"""What differs between two trees: value by value, and as unified text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.ports import Repositories, Snapshot
from adapters.text_diffs import hunks
from gitops.commits import GitCommit
from gitops.history import FileChange, value_changes
from gitops.tree import Files, Tree

MAX_SHOWN_BYTES = 1024 * 1024
"""Of one file, and of the text of all of them."""


@dataclass(frozen=True)
class FileDelta:
    """A file that differs; None: not there. It has two paths where the trees are two environments."""

    old_path: str
    path: str
    before: bytes | None
    after: bytes | None


def changes(repositories: Repositories, project: str, commit: GitCommit) -> list[FileChange]:
    """What a commit changed against its first parent: see changes_in. Raises MissingCommit."""
    return changes_in(_of_commit(repositories, project, commit))


def text(repositories: Repositories, project: str, commit: GitCommit) -> str:
    """What a commit changed against its first parent: see text_of. Raises MissingCommit."""
    return text_of(_of_commit(repositories, project, commit))


def changes_in(deltas: Iterable[FileDelta]) -> list[FileChange]:
    """Key by key, in the order of paths; nothing for files that are no YAML of ours or cannot be read."""
    return [change for delta in deltas for change in value_changes(delta.path, delta.before, delta.after)]


def text_of(deltas: Iterable[FileDelta]) -> str:
    """Unified text in Git's form, cut at its bound with a last line that says so; '' when nothing differs."""
    parts: list[str] = []
    left = MAX_SHOWN_BYTES
    for part in map(_unified, deltas):
        size = len(part.encode())
        if size > left:
            shown = part.encode()[:left].decode(errors="ignore")
            return f"{''.join(parts)}{shown}\n… the rest is left out: all of it is over {MAX_SHOWN_BYTES // 1024} KiB\n"
        parts.append(part)
        left -= size
    return "".join(parts)


def deltas_of(before: Tree, after: Tree, paths: Iterable[tuple[str, str]]) -> Iterator[FileDelta]:
    """The files that differ among some, each named as `before` and as `after` have it."""
    for old_path, path in paths:
        old, new = before.read(old_path), after.read(path)
        if old != new:
            yield FileDelta(old_path, path, old, new)


def every_path(before: Tree, after: Tree, folder: str = "") -> list[tuple[str, str]]:
    """All files below a folder that either tree has, for deltas_of."""
    return [(path, path) for path in sorted({*before.files(folder), *after.files(folder)})]


def _of_commit(repositories: Repositories, project: str, commit: GitCommit) -> Iterator[FileDelta]:
    after = repositories.snapshot(project, commit.sha)
    if not commit.parents:
        return deltas_of(Files(), after, every_path(Files(), after))
    before = repositories.snapshot(project, commit.parents[0])
    return deltas_of(before, after, [(path, path) for path in _differing(before, after, "")])


def _differing(before: Snapshot, after: Snapshot, folder: str) -> Iterator[str]:
    """Paths below a folder whose content differs; what is the same by Git's ids is not looked into."""
    for name in sorted({*before.folder(folder), *after.folder(folder)}):
        path = f"{folder}/{name}" if folder else name
        if before.oid(path) != after.oid(path):
            yield path
            yield from _differing(before, after, path)


def _unified(delta: FileDelta) -> str:
    head = f"diff --git a/{delta.old_path} b/{delta.path}\n{_existence(delta)}"
    old = "/dev/null" if delta.before is None else f"a/{delta.old_path}"
    new = "/dev/null" if delta.after is None else f"b/{delta.path}"
    if max(len(delta.before or b""), len(delta.after or b"")) > MAX_SHOWN_BYTES:
        return f"{head}Files {old} and {new} differ; they are too large to be shown\n"
    before, after = delta.before or b"", delta.after or b""
    if not (_is_text(before) and _is_text(after)):
        return f"{head}Binary files {old} and {new} differ\n"
    told = hunks(before, after)
    return f"{head}--- {old}\n+++ {new}\n{told}" if told else head


def _existence(delta: FileDelta) -> str:
    """Without this line `git apply` takes /dev/null for the file's name."""
    if delta.before is None:
        return "new file mode 100644\n"
    return "deleted file mode 100644\n" if delta.after is None else ""


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
