"""What was computed from bytes, kept by those bytes up to a total size: a page of projects reads its files once."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class SizedCache(Generic[V]):
    """Values by key, forgetting the least recently used beyond a total of sizes. Safe for threads."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        """What was put for an equal key, None when it is not (or no longer) there."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept[0]

    def put(self, key: Hashable, value: V, size_bytes: int) -> V:
        """Keep a value that costs about `size_bytes`; the value."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value, size_bytes
                self._bytes += size_bytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]
        return value
