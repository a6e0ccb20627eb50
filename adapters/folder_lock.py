"""Mutual exclusion on one folder: between processes by flock, and calls that share one run between threads."""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

_POLL_SECONDS = 0.01

Answer = TypeVar("Answer")


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold an flock on the file `path`. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_seconds
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{path.name} is held by another process") from None
                time.sleep(_POLL_SECONDS)
        yield


class Flight(Generic[Answer]):
    """Callers that arrive while a run is under way share the next one: each answer is from a run that began after
    its call.
    """

    def __init__(self, work: Callable[[], Answer]) -> None:
        self._work = work
        self._counter = threading.Lock()
        self._running = threading.Lock()
        self._begun = 0
        self._ended: tuple[int, Callable[[], Answer]] = (0, work)

    def __call__(self) -> Answer:
        """The answer, or the exception, of a run that began after this call."""
        with self._counter:
            wanted = self._begun + 1
        with self._running:
            if self._ended[0] < wanted:
                with self._counter:
                    self._begun += 1
                self._ended = (self._begun, _outcome(self._work))
            return self._ended[1]()


def _outcome(work: Callable[[], Answer]) -> Callable[[], Answer]:
    try:
        answer = work()
    except Exception as error:  # noqa: BLE001 - it is raised again, for every caller that shares the run
        return _raiser(error)
    return lambda: answer


def _raiser(error: Exception) -> Callable[[], NoReturn]:
    def again() -> NoReturn:
        raise error

    return again
