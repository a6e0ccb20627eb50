"""The data folder of the embedded mode: one `lucity up` at a time, and where it keeps what."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.failures import StartFailed


class Lock:
    """Held for as long as this process lives, `kill -9` included; the file says who holds it and where it serves."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def describe(self, url: str) -> None:
        """Write down who we are."""
        self._write(json.dumps({"pid": os.getpid(), "url": url}))

    def clear(self) -> None:
        """Leave nothing behind that looks like a running server."""
        self._write("")

    def _write(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


@contextmanager
def locked(folder: Path) -> Iterator[Lock]:
    """Make the folder where it is missing and hold it. Raises StartFailed when another `lucity up` does."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        message = f"the data folder {folder} cannot be used: {error.strerror}; choose another one with --data"
        raise StartFailed(message) from None
    try:
        _take(descriptor, folder)
        yield Lock(descriptor)
    finally:
        os.close(descriptor)


def running_url(folder: Path) -> str | None:
    """Answer where the `lucity up` of this folder serves; None: there is none."""
    try:
        return str(json.loads((folder / "lock").read_bytes())["url"])
    except (OSError, ValueError):
        return None


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = (
            f"another `lucity up` {_holder(descriptor)} on {folder}; stop it, or choose another folder with --data"
        )
        raise StartFailed(message) from None


def _holder(descriptor: int) -> str:
    try:
        held = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return "starts or stops just now"
    return f"(process {held['pid']}, {held['url']}) already runs"
