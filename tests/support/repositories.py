"""Source repositories of users, on disk: bare ones, and somebody who pushes to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.ports import Sources
from adapters.sources import GitSources
from gitops.problems import Problem, Refused
from tests.support.git import Clone, git


@dataclass(frozen=True)
class SourceRepository:
    """A bare repository, and its author."""

    path: Path
    author: Clone

    @classmethod
    def make(cls, path: Path) -> "SourceRepository":
        """An empty one."""
        path.mkdir(parents=True)
        git(path, "init", "--quiet", "--bare", "--initial-branch=main")
        author = Clone(path.parent / f"{path.name}-author")
        author.folder.mkdir()
        git(author.folder, "init", "--quiet", "--initial-branch=main")
        git(author.folder, "remote", "add", "origin", str(path))
        return cls(path, author)

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def commit(self, branch: str, files: Mapping[str, str]) -> str:
        """Put these files, and no others, on a branch; the new commit's SHA."""
        git(self.author.folder, "checkout", "--quiet", "-B", branch)
        for path in self.author.folder.iterdir():
            if path.name != ".git":
                git(self.author.folder, "rm", "-r", "--quiet", "--force", "--", path.name)
        sha = self.author.commit("change", files)
        git(self.author.folder, "push", "--quiet", "--force", "origin", f"{branch}:refs/heads/{branch}")
        return sha


def sources(folder: Path, *, seconds: float = 60, mib: int = 64, local: bool = True) -> GitSources:
    """The real thing, with a data folder in here."""
    return GitSources(folder / "data" / "sources", seconds, mib, local=local)


def refusal(work: Callable[[], object]) -> Problem:
    """The problem of a refusal."""
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.problem


def check_out(sources: Sources, url: str, revision: str = "main", credentials: bytes | None = None) -> dict[str, str]:
    """The files of a revision; links as what they point to."""
    with sources.checkout(url, revision, credentials) as checkout:
        return {
            str(path.relative_to(checkout.folder)): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in checkout.folder.rglob("*")
            if path.is_symlink() or path.is_file()
        }
