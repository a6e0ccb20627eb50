"""Repositories below gitops/ that no project has: a push past Lucity may have made one, or a project's first push never
came. Removed once they were empty and unknown for a while.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from adapters.wiring import Ports

_LOOK_SECONDS = 30.0
_PAUSE_SECONDS = 60.0
_log = structlog.get_logger()


@dataclass
class Leftovers:
    """What one sweeper remembers: since when it sees which empty repository, and when to look again."""

    ports: Ports
    owner: str
    clock: Callable[[], float] = time.monotonic
    since: dict[str, float] = field(default_factory=dict)
    due: float = 0.0

    def sweep(self) -> None:
        """Look now and then, one sweeper at a time; remove what was there long enough."""
        now = self.clock()
        if now < self.due:
            return
        self.due = now + min(_LOOK_SECONDS, self.ports.settings.leftover_seconds)
        # Longer than until the next look, so that the one who remembers stays the one who looks.
        if not self.ports.leases.acquire("leftovers", self.owner, 3 * _LOOK_SECONDS):
            return
        self.since = {project: self.since.get(project, now) for project in self._empty()}
        for project, first in list(self.since.items()):
            if now - first >= self.ports.settings.leftover_seconds:
                self._remove(project)

    def _empty(self) -> list[str]:
        projects = self.ports.githost.projects()
        heads = self.ports.githost.heads(projects)
        return [project for project in projects if project not in heads and self._is_unknown(project)]

    def _is_unknown(self, project: str) -> bool:
        return not self.ports.events.heads([project]) and not self.ports.ledger.unfinished([project]).get(project)

    def _remove(self, project: str) -> None:
        """No worker may begin to create the project meanwhile; should one have pushed, a bundle is kept."""
        if not self.ports.leases.acquire(f"pause:{project}", self.owner, _PAUSE_SECONDS):
            return
        try:
            if self._is_unknown(project) and not self.ports.githost.heads([project]):
                self.ports.githost.archive(project)
                _log.warning("an empty repository that no project has was removed", project=project)
        finally:
            self.ports.leases.release(f"pause:{project}", self.owner)
