"""What is believed when a list and a stream tell of the same Applications, late, doubled or out of order. No I/O."""

import threading
from collections.abc import Sequence

from adapters.argocd_parse import Change, Found
from adapters.records import Gone

Where = tuple[str, str]


class Newest:
    """The newest state of each place by resourceVersion, which Kubernetes draws from one counter. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[Where, int] = {}
        self._there: dict[Where, Found] = {}

    def begin(self) -> None:
        """A new connection: versions may count from somewhere else (a restored cluster); what was there is kept to
        notice what is missing.
        """
        with self._lock:
            self._versions.clear()

    def listed(self, every: Sequence[Found]) -> list[Found | Gone]:
        """Take in a list of all; what it tells, and what is not there any more."""
        missing = []
        with self._lock:
            there = {_where(found) for found in every}
            for where in [where for where in self._there if where not in there]:
                del self._there[where]
                missing.append(Gone(*where))
        return [*missing, *(self.read(found) for found in every)]

    def read(self, found: Found) -> Found:
        """The newest that is known, given what was just read."""
        with self._lock:
            if self._accepts(found):
                self._there[_where(found)] = found
            return self._there.get(_where(found), found)

    def known(self, where: Where) -> Found | None:
        """The newest of a place; None when there is nothing."""
        with self._lock:
            return self._there.get(where)

    def told(self, change: Change, found: Found) -> Found | Gone | None:
        """What a frame of the stream changes; None for one that was overtaken."""
        with self._lock:
            if not self._accepts(found):
                return None
            if change is Change.PUT:
                self._there[_where(found)] = found
                return found
            self._there.pop(_where(found), None)
            return Gone(*_where(found))

    def _accepts(self, found: Found) -> bool:
        where = _where(found)
        known = self._versions.get(where, 0)
        if found.version and found.version < known:
            return False
        self._versions[where] = max(known, found.version)
        return True


def _where(found: Found) -> Where:
    return found.application.project, found.application.environment
