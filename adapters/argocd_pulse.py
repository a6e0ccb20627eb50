"""Whether it is worth asking an Argo CD: where one request hung, the others must not hang one by one behind it, for who
asks has other things to do. No meaning of any request here.
"""

import threading
import time

import httpx

from adapters.ports import Unreachable
from adapters.trust import SYSTEM, Trust

_PATH = "/api/version"
"""Answered by every Argo CD to everybody, at once; any answer will do."""


class Pulse:
    """Felt before the next request once one was not answered in time. When nothing is felt, requests fail at once for a
    pause. Safe for threads.
    """

    def __init__(
        self, url: str, trust: Trust = SYSTEM, answer_seconds: float = 3.0, pause_seconds: float = 5.0
    ) -> None:
        self._url = url
        self._trust = trust
        self._answer_seconds = answer_seconds
        self._pause_seconds = pause_seconds
        self._guard = threading.Lock()
        self._doubtful = False
        self._silent_until = 0.0

    def doubt(self) -> None:
        """A request was not answered in time: it may have been slow itself, or nothing answers any more."""
        self._doubtful = True

    def feel(self) -> None:
        """Return when there is no doubt. Raises Unreachable."""
        if self._doubtful:
            with self._guard:
                felt = self._felt()
            if not felt:
                raise Unreachable("delivery", "Argo CD does not answer: connected or not, nothing comes")

    def _felt(self) -> bool:
        """Whoever waited for the guard takes the answer that came meanwhile."""
        if not self._doubtful:
            return True
        if time.monotonic() < self._silent_until:
            return False
        try:
            # A connection of its own: one that is kept may be the one that is dead.
            httpx.get(f"{self._url}{_PATH}", verify=self._trust.context, timeout=self._answer_seconds)
        except httpx.HTTPError:
            self._silent_until = time.monotonic() + self._pause_seconds
            return False
        self._doubtful = False
        return True
