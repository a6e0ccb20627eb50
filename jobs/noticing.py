"""Noticing what moved on the Git host, beside all else that an observer does: whatever hangs, a hand-made push is seen
soon, and whatever the host takes to answer, the rounds go on.
"""

import threading
from dataclasses import dataclass

from adapters.ports import Unreachable
from adapters.wiring import Ports
from jobs import heads
from jobs.guarding import guarded


@dataclass
class Noticing:
    """For as long as somebody leads; every look takes what was found before it for known."""

    ports: Ports
    over: threading.Event
    there: frozenset[str] = frozenset()
    """Projects that had a commit at the last look."""
    away: bool = False
    """Whether the Git host did not answer the last look."""

    def go_on(self) -> None:
        """Look again and again until it is over; the rounds say what else is to be said of a Redis that is away."""
        while not self.over.wait(self.ports.settings.poll_seconds):
            try:
                guarded("observer", "", lambda _: self._look())
            except Unreachable:
                continue

    def _look(self) -> None:
        try:
            projects = self.ports.githost.projects()
            known = self.ports.events.heads(projects)
            found = self.ports.githost.heads(projects)
        except Unreachable as outage:
            self.away = outage.component == "git"
            raise
        self.away = False
        for project in [project for project, head in found.items() if known.get(project) != head]:
            guarded("observer", project, lambda name: heads.notice(self.ports, name))
        self.there = frozenset(found)
