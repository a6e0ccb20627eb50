"""Folders in which builds keep their layers, one for each service: locked while in use, marked until a build has ended
as it should, and removed when old or too many. A service's cache is of no use to another, nor in its way.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.build_jail import FIRST_ID
from adapters.watched_process import LOOK_SECONDS, size_of

_WRITABLE = ("storage", "run", "blobs", "tmp")
_FRESH_SECONDS = 600.0
"""What was used a moment ago may hold an image that is about to be pushed."""
_DAY_SECONDS = 86400.0
_MIB = 1 << 20


@dataclass(frozen=True)
class Cache:
    """One folder, while it is locked. `lock` is a file descriptor; who inherits it keeps the lock."""

    folder: Path
    lock: int

    @property
    def storage(self) -> Path:
        """Layers and images; it belongs to the root user of inside, as the next three."""
        return self.folder / "storage"

    @property
    def run(self) -> Path:
        """What the storage keeps of its state."""
        return self.folder / "run"

    @property
    def blobs(self) -> Path:
        """What is known of blobs, so that none is pushed twice."""
        return self.folder / "blobs"

    @property
    def scratch(self) -> Path:
        """Temporary files, removed after each use."""
        return self.folder / "tmp"

    @property
    def root(self) -> Path:
        """An empty folder."""
        return self.folder / "root"

    @property
    def layers(self) -> frozenset[str]:
        """Paths of the layers that there are."""
        with suppress(OSError):
            return frozenset(entry.path for entry in os.scandir(self.storage / "vfs" / "dir"))
        return frozenset()

    @property
    def spoiled(self) -> bool:
        """Whether a build in here did not end as it should."""
        return self._mark.exists()

    def spoil(self) -> None:
        """Say that something goes on in here."""
        self._mark.touch()

    def mend(self) -> None:
        """Say that all is as it should be."""
        self._mark.unlink(missing_ok=True)

    def clear(self) -> None:
        """Start anew with nothing."""
        for name in _WRITABLE:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.prepare()
        self.mend()

    def prepare(self) -> None:
        """Make what is missing, with empty scratch."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.root.mkdir(exist_ok=True)
        for name in _WRITABLE:
            folder = self.folder / name
            if not folder.exists():
                folder.mkdir(mode=0o700)
                os.chown(folder, FIRST_ID, FIRST_ID)

    def leave(self) -> None:
        """Note when it was used last, and its size then."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.folder / "bytes").write_text(str(size_of(self.storage)))

    @property
    def _mark(self) -> Path:
        return self.folder / "unfinished"


@dataclass(frozen=True)
class Caches:
    """All of them, below `root`."""

    root: Path
    allowed_mib: int
    allowed_days: float
    clock: Callable[[], float] = time.time

    @contextmanager
    def open(self, key: str, wait: Callable[[], None]) -> Iterator[Cache]:
        """The cache of this key (see `key_of`), for us alone; `wait` is called while others hold it, and may raise."""
        folder = self.root.absolute() / key
        while True:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            with self._lock(folder) as lock:
                if lock is not None:
                    cache = Cache(folder, lock)
                    cache.prepare()
                    try:
                        yield cache
                    finally:
                        cache.leave()
                    return
            wait()
            time.sleep(LOOK_SECONDS)

    def idle(self) -> Iterator[Cache]:
        """Each that nobody uses, locked."""
        for folder in sorted(self._folders()):
            with self._lock(folder) as lock:
                if lock is not None:
                    yield Cache(folder, lock)

    def prune(self) -> None:
        """Remove what is old, and then what was used longest ago until the rest is small enough."""
        self._remove_rubbish()
        kept = sorted((self._used_at(folder), folder) for folder in self._folders())
        sizes = {folder: self._bytes(folder) for _, folder in kept}
        for used_at, folder in kept:
            age = self.clock() - used_at
            if age > self.allowed_days * _DAY_SECONDS or (
                age > _FRESH_SECONDS and sum(sizes.values()) > self.allowed_mib * _MIB
            ):
                with self._lock(folder) as lock:
                    if lock is not None:
                        self._remove(folder)
                        sizes[folder] = 0

    @contextmanager
    def _lock(self, folder: Path) -> Iterator[int | None]:
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield lock if _taken(lock, folder) else None
        finally:
            os.close(lock)

    def _folders(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return [path for path in self.root.absolute().iterdir() if not path.name.startswith(".")]
        return []

    def _remove(self, folder: Path) -> None:
        rubbish = folder.with_name(f".{folder.name}-{time.time_ns()}")
        folder.rename(rubbish)
        shutil.rmtree(rubbish, ignore_errors=True)

    def _remove_rubbish(self) -> None:
        for path in self.root.glob(".*"):
            shutil.rmtree(path, ignore_errors=True)

    def _used_at(self, folder: Path) -> float:
        for path in (folder / "bytes", folder):
            with suppress(OSError):
                return path.stat().st_mtime
        return self.clock()

    def _bytes(self, folder: Path) -> int:
        try:
            return int((folder / "bytes").read_text())
        except (OSError, ValueError):
            return size_of(folder)


def _taken(lock: int, folder: Path) -> bool:
    """Whether we have the lock now, and on what is there still: it may have been removed, and made again."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return folder.stat().st_ino == os.fstat(lock).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def key_of(name: str) -> str:
    """The folder of a name, whatever the name holds."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
