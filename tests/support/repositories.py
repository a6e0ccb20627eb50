"""Source repositories of users, on disk: bare ones, and somebody who pushes to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
