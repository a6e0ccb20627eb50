"""Telling readers what the delivery says: by whichever thread hears it, and never the older after the newer."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from adapters.ports import Statuses
from adapters.records import RolloutRecord
from gitops.rollouts import Observation

Place = tuple[str, str]
"""(project, environment)"""


def is_news(before: Observation | None, now: Observation) -> bool:
    """Whether anything that matters to readers changed: a tick of the delivery's clock does not."""
    return before is None or replace(before, observed_at=now.observed_at, compared_at=now.compared_at) != now


@dataclass
class Teller:
    """One leader's voice; safe for threads. Everything raises StaleLead once somebody else leads."""

    statuses: Statuses
    leader: str
    count: int = 0
    """How much was heard so far; what is read from now on can be told with it as `since`."""
    _heard: dict[Place, tuple[int, Observation]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def status(self, observation: Observation, head: str, since: int | None = None) -> None:
        """Tell of an environment if it is news. One that was read from a list, begun when `count` was `since`, is left
        out where something was heard meanwhile.
        """
        place = observation.project, observation.environment
        with self._lock:
            number, before = self._heard.get(place, (0, None))
            if since is not None and number > since:
                return
            if is_news(before, observation):
                self._write([observation], [], observation.project, head)
            self.count += 1
            self._heard[place] = self.count, observation

    def verdicts(self, project: str, head: str, rollouts: Sequence[RolloutRecord]) -> None:
        """Tell of rollouts of one project."""
        self._write([], rollouts, project, head)

    def lost(self, place: Place) -> None:
        """The delivery has nothing there any more: whatever comes is news."""
        with self._lock:
            self._heard.pop(place, None)

    def _write(
        self, observations: Sequence[Observation], rollouts: Sequence[RolloutRecord], project: str, head: str
    ) -> None:
        self.statuses.observe(observations, rollouts, heads={project: head}, leader=self.leader)
