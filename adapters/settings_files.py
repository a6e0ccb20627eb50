"""Files of the private repository lucity/settings, changed by compare-and-swap: few, small and rarely written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.local_git import SETTINGS
from adapters.ports import GitHost, Repositories, Unreachable
from adapters.records import NewCommit, PushState
from gitops.changes import Actor
from gitops.problems import Refused

PUSH_TRIES: Final = 8
Edit = Callable[[bytes], tuple[bytes, str] | None]
"""The file as it is → as it shall be, with the commit's subject; None: nothing to do. May raise Refused."""


@dataclass(frozen=True)
class SettingsFiles:
    """Reads and writes them; `clock` gives the time of commits."""

    repositories: Repositories
    githost: GitHost
    clock: Callable[[], datetime]

    def newest(self) -> str | None:
        """The head of the host, fetched. Raises Unreachable('git')."""
        head = self.githost.heads([SETTINGS]).get(SETTINGS)
        if head is not None and head != self.repositories.head(SETTINGS):
            head = self.repositories.fetch(SETTINGS)
        return head

    def read(self, head: str | None, path: str) -> bytes:
        """A file at a head; empty when it is not there."""
        return (self.repositories.snapshot(SETTINGS, head).read(path) or b"") if head else b""

    def edit(self, actor: Actor, path: str, edit: Edit) -> None:
        """Commit an edit of a file; a look at the host first, for this is rare. Raises Refused, Unreachable('git')."""
        self.githost.create(SETTINGS)
        for _ in range(PUSH_TRIES):
            head = self.repositories.fetch(SETTINGS)
            edited = edit(self.read(head, path))
            if edited is None or self._push(actor, head, path, *edited):
                return
        raise Unreachable(
            "git", f"{path} could not be pushed: the head of lucity/settings moves all the time; try again"
        )

    def _push(self, actor: Actor, head: str | None, path: str, data: bytes, subject: str) -> bool:
        """Whether it landed; an unclear answer counts as no, and the edit is made again on what is there then."""
        message = f"{subject}\n\nActor-Id: {actor.id}\n"
        new = NewCommit(message, actor.name, actor.email, self.clock(), {path: data})
        commit = self.repositories.commit(SETTINGS, head or "", new)
        result = self.repositories.push(SETTINGS, head or "", commit)
        if result.state in {PushState.REFUSED, PushState.DENIED}:
            if result.problem is not None:
                raise Refused(result.problem)
            raise Unreachable("git", f"The Git host refused {path}: {result.message}")
        return result.state is PushState.ACCEPTED
