"""What a commit changed against its first parent: value by value, and as unified text."""

from collections.abc import Iterator
from difflib import unified_diff

from adapters.ports import Repositories
from adapters.wiring import Ports
from gitops.commits import GitCommit
from gitops.history import FileChange, value_changes
from gitops.tree import Files, Tree

FileDelta = tuple[str, bytes | None, bytes | None]
"""path, before, after"""


def changes(ports: Ports, project: str, commit: GitCommit) -> list[FileChange]:
    """Key by key, in the order of paths; nothing for files that are no YAML of ours or cannot be read."""
    deltas = _deltas(ports.repositories, project, commit)
    return [change for path, before, after in deltas for change in value_changes(path, before, after)]


def text(ports: Ports, project: str, commit: GitCommit) -> str:
    """Unified text in Git's form; '' when nothing changed."""
    return "".join(_unified(*delta) for delta in _deltas(ports.repositories, project, commit))


def _deltas(repositories: Repositories, project: str, commit: GitCommit) -> Iterator[FileDelta]:
    after: Tree = repositories.snapshot(project, commit.sha)
    before: Tree = repositories.snapshot(project, commit.parents[0]) if commit.parents else Files()
    for path in sorted({*before.files(""), *after.files("")}):
        old, new = before.read(path), after.read(path)
        if old != new:
            yield path, old, new


def _unified(path: str, before: bytes | None, after: bytes | None) -> str:
    head = f"diff --git a/{path} b/{path}\n"
    old = "/dev/null" if before is None else f"a/{path}"
    new = "/dev/null" if after is None else f"b/{path}"
    try:
        lines = (_lines(before), _lines(after))
    except UnicodeDecodeError:
        return f"{head}Binary files {old} and {new} differ\n"
    return head + "".join(map(_ended, unified_diff(*lines, old, new)))


def _lines(data: bytes | None) -> list[str]:
    parts = (data or b"").decode().split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
