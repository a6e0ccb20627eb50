"""The files of a repository at one commit, as pure functions see them: paths to bytes, nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Tree(Protocol):
    """A read-only set of files. Paths are relative, `/`-separated, without a leading slash."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes, None when there is no such file."""
        ...

    def folder(self, path: str) -> tuple[str, ...]:
        """Names of the files and folders directly inside `path` ('' is the root), sorted; empty when there is none."""
        ...

    def files(self, path: str) -> Iterable[str]:
        """Full paths of all files below `path`, sorted."""
        ...


Writes = Mapping[str, bytes | None]
"""What a change does to files: full path → new bytes, None removes the file."""


@dataclass(frozen=True)
class Files:
    """A Tree held in memory: for tests, and for a tree with a change's writes laid over it."""

    content: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """See Tree.read."""
        return self.content.get(path)

    def folder(self, path: str) -> tuple[str, ...]:
        """See Tree.folder."""
        start = f"{path}/" if path else ""
        return tuple(sorted({name[len(start) :].split("/", 1)[0] for name in self.content if name.startswith(start)}))

    def files(self, path: str) -> Iterable[str]:
        """See Tree.files."""
        start = f"{path}/" if path else ""
        return sorted(name for name in self.content if name.startswith(start))

    def with_writes(self, writes: Writes) -> "Files":
        """The same tree after `writes`."""
        merged = {**self.content, **{path: data for path, data in writes.items() if data is not None}}
        return Files({path: data for path, data in merged.items() if writes.get(path, b"") is not None})


@dataclass(frozen=True)
class Overlaid:
    """A Tree as it is after some writes."""

    below: Tree
    writes: Writes

    def read(self, path: str) -> bytes | None:
        """See Tree.read."""
        return self.writes[path] if path in self.writes else self.below.read(path)

    def folder(self, path: str) -> tuple[str, ...]:
        """See Tree.folder."""
        start = f"{path}/" if path else ""
        changed = {name[len(start) :].split("/", 1)[0] for name in self.writes if name.startswith(start)}
        kept = set(self.below.folder(path)) - changed
        return tuple(sorted(kept | {name for name in changed if self._has(f"{start}{name}")}))

    def files(self, path: str) -> Iterable[str]:
        """See Tree.files."""
        start = f"{path}/" if path else ""
        written = {name for name, data in self.writes.items() if data is not None and name.startswith(start)}
        return sorted({name for name in self.below.files(path) if name not in self.writes} | written)

    def _has(self, path: str) -> bool:
        return self.read(path) is not None or any(True for _ in self.files(path))
