"""A user's clone, read without a server: its history step by step, each commit verified."""

from collections.abc import Iterator
from pathlib import Path

import pygit2

from adapters.git_objects import read_commit
from adapters.history_walk import commit_at, unknown_commits, walk
from adapters.ports import MissingCommit
from adapters.signing import Signatures
from gitops.audits import Evidence, configured
from gitops.commits import GitCommit
from gitops.history import State

_CONFIGURED = "gpg.ssh.allowedsignersfile"


class NoClone(Exception):  # noqa: N818 - what was found instead
    """The folder holds no repository with a commit."""


class Clone:
    """See adapters.history_walk.Commits, whose project is always this one."""

    def __init__(self, folder: Path, allowed_signers: Path | None) -> None:
        """`allowed_signers` None: the file that the clone's configuration names, else the one beside the clone.

        Raises NoClone.
        """
        try:
            self._repository = pygit2.Repository(str(folder))
            self.head = str(self._repository.head.target)
        except pygit2.GitError as error:
            raise NoClone(str(folder)) from error
        self.allowed_signers = allowed_signers or self._configured() or folder.resolve().parent / "allowed_signers"
        self._signatures = Signatures(self.allowed_signers)

    def objects(self, _project: str) -> pygit2.Repository:
        """See Commits."""
        return self._repository

    def git_commit(self, _project: str, sha: str) -> GitCommit:
        """See Commits."""
        return read_commit(commit_at(self._repository, sha), self._signatures)

    def history(self) -> Iterator[Evidence]:
        """What every first-parent commit up to the head did, oldest first. Raises MissingCommit in a shallow clone."""
        if self._repository.is_shallow:
            raise MissingCommit(self.head)
        shas, _ = unknown_commits(self._repository, self.head, lambda _sha: None)
        before = State()
        for one, state in walk(self, "", shas, 0, before):
            images = {name: environment.images for name, environment in state.environments.items()}
            yield Evidence(one.record, one.paths, one.effect, images, configured(before, state))
            before = state

    def _configured(self) -> Path | None:
        configuration = self._repository.config
        named = configuration[_CONFIGURED] if _CONFIGURED in configuration else None  # noqa: SIM401 - it has no get
        return Path(named).expanduser() if named else None
