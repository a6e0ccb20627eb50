"""A child process that is watched while it runs: what it prints is read as it comes, and a watch may end it."""

import os
import selectors
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from gitops.problems import JobFailure, Refused

LOOK_SECONDS = 0.2
_CHUNK = 1 << 16
_SHORTEST_SECONDS_BETWEEN_SIZES = 0.5
_SHARE_OF_TIME_FOR_SIZES = 0.1
_RESERVE_BYTES = 256 << 20
_MIB = 1 << 20


class Growth:
    """Watches how much folders grow, apart from the paths that are `known`, and that the disk keeps a reserve. `what`
    and `setting` are for the message.
    """

    def __init__(
        self, folders: Sequence[Path], allowed_mib: int, what: str, setting: str, known: Collection[str] = frozenset()
    ) -> None:
        self._folders = folders
        self._allowed_mib = allowed_mib
        self._what = what
        self._setting = setting
        self._known = known
        self._next = 0.0

    def check(self) -> None:
        """Raise Refused(JobFailure) when it is too much. Looks seldom when looking takes long."""
        began = time.monotonic()
        if began < self._next:
            return
        if shutil.disk_usage(self._folders[0]).free < _RESERVE_BYTES:
            raise Refused(JobFailure(f"{self._what} fills the disk: less than {_RESERVE_BYTES // _MIB} MiB are left"))
        if sum(size_of(folder, self._known) for folder in self._folders) > self._allowed_mib * _MIB:
            raise Refused(JobFailure(f"{self._what} takes more than {self._allowed_mib} MiB of disk ({self._setting})"))
        took = time.monotonic() - began
        self._next = began + max(_SHORTEST_SECONDS_BETWEEN_SIZES, took / _SHARE_OF_TIME_FOR_SIZES)


class Deadline:
    """Watches the clock."""

    def __init__(self, seconds: float, what: str, setting: str) -> None:
        self._at = time.monotonic() + seconds
        self._message = f"{what} takes longer than {seconds:g} s ({setting})"

    def check(self) -> None:
        """Raise Refused(JobFailure) once it has passed."""
        if time.monotonic() > self._at:
            raise Refused(JobFailure(self._message))


def size_of(folder: Path, known: Collection[str] = frozenset()) -> int:
    """Bytes on the disk below a folder that others may be changing; no link is followed."""
    total, folders = 0, [str(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.path in known:
                    continue
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    total += found.st_blocks * 512
                    if stat.S_ISDIR(found.st_mode):
                        folders.append(entry.path)
    return total


def pump(
    process: "subprocess.Popen[bytes]", sinks: Mapping[IO[bytes], Callable[[bytes], None]], watch: Callable[[], None]
) -> int:
    """Hand on what a process prints until it has ended; its exit code. `watch` is called several times a second, and
    what it raises is raised: the caller ends the process.
    """
    looked = 0.0
    with selectors.DefaultSelector() as selector:
        for pipe, sink in sinks.items():
            selector.register(pipe, selectors.EVENT_READ, sink)
        while selector.get_map():
            for key, _ in selector.select(LOOK_SECONDS):
                data = os.read(key.fd, _CHUNK)
                if data:
                    key.data(data)
                else:
                    selector.unregister(key.fileobj)
            if time.monotonic() - looked >= LOOK_SECONDS:
                watch()
                looked = time.monotonic()
    while True:
        watch()
        with suppress(subprocess.TimeoutExpired):
            return process.wait(LOOK_SECONDS)
