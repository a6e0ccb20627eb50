"""Signals as something to wait for: a person's wish to stop, and the end of a child. Nothing is raised anywhere."""

import select
import signal
import socket

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """`stops` counts how often this process was asked to stop since it began to listen. Main thread only."""

    def __init__(self) -> None:
        self.stops = 0
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*STOPS, signal.SIGCHLD):
            signal.signal(number, _note)

    def wait(self, seconds: float) -> None:
        """Return as soon as a signal came in, a child's end included, at the latest after `seconds`."""
        if select.select([self._reader], [], [], max(seconds, 0))[0]:
            self.stops += sum(number in STOPS for number in self._reader.recv(4096))


def _note(_number: int, _frame: object) -> None:
    """Do nothing: a handler is needed for the wake-up file descriptor to note the signal."""
