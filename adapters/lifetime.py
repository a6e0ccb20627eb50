"""Ties a process's life to its parent's, so that not even `kill -9` of `lucity up` leaves an orphan behind.

Run as a program (`python -m adapters.lifetime PARENT_PID COMMAND…`) it does so for a program that is not ours.
"""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int | None = None) -> None:
    """End this process, by SIGKILL, as soon as its parent has ended.

    `parent_pid` is who the parent was when this process was started; when it is somebody else by now, this process
    ends at once. Children do not inherit the tie, replacing the program by exec keeps it (prctl(2), PR_SET_PDEATHSIG).
    Only the thread that started this process counts as the parent: start processes from threads that stay.
    """
    parent = parent_pid or os.getppid()
    tied = sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    if not tied:
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(0.25)
    os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Become COMMAND, tied to the parent."""
    die_with_parent(int(arguments[0]))
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - the same process has to become the program


if __name__ == "__main__":
    main(sys.argv[1:])
