"""The index file of one project: its schema, its connections, and its end when it is broken.

One SQLite file per project and schema version, in WAL mode: readers never wait for a writer. All of it can be deleted
at any time.

IndexLost               the index was broken or deleted under us and is empty now: index again
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from adapters.folder_lock import locked

VERSION = 4
_BUSY_SECONDS = 30.0
_BUILD_SECONDS = 60.0
_IDLE_KEPT = 8
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_ERROR,  # a table or column is missing
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_NOTADB,
    }
)

# `touches` also holds (environment, '') for the environment itself and ('', service) for the service anywhere.
# `trust` names the keys by which signatures were judged, see Mirror.trust.
_SCHEMA = """
CREATE TABLE authors (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, folded TEXT NOT NULL, UNIQUE (name, email)
);
CREATE TABLE commits (
  number INTEGER PRIMARY KEY, sha TEXT NOT NULL, kind TEXT NOT NULL, author INTEGER NOT NULL, at INTEGER NOT NULL,
  job TEXT
);
CREATE UNIQUE INDEX commits_by_sha ON commits (sha);
CREATE INDEX commits_by_job ON commits (job, number) WHERE job IS NOT NULL;
CREATE INDEX commits_by_kind ON commits (kind, number);
CREATE INDEX commits_by_author ON commits (author, number);
CREATE INDEX commits_by_time ON commits (at, number);
CREATE TABLE records (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE texts (number INTEGER PRIMARY KEY, folded TEXT NOT NULL);
CREATE VIRTUAL TABLE trigrams USING fts5(
  folded, content='texts', content_rowid='number', tokenize='trigram case_sensitive 1', detail=none, columnsize=0
);
CREATE TABLE trust (name TEXT NOT NULL);
CREATE TABLE touches (
  environment TEXT NOT NULL, service TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (environment, service, number)
) WITHOUT ROWID;
CREATE TABLE pairs (
  environment TEXT NOT NULL, service TEXT NOT NULL, PRIMARY KEY (environment, service)
) WITHOUT ROWID;
CREATE TABLE paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE path_touches (path INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (path, number)) WITHOUT ROWID;
CREATE TABLE blames (
  path INTEGER NOT NULL, number INTEGER NOT NULL, writers TEXT NOT NULL, PRIMARY KEY (path, number)
) WITHOUT ROWID;
CREATE TABLE lives (
  environment TEXT NOT NULL, created INTEGER NOT NULL, deleted INTEGER, PRIMARY KEY (environment, created)
) WITHOUT ROWID;
CREATE TABLE images (
  environment TEXT NOT NULL, service TEXT NOT NULL, number INTEGER NOT NULL, deployed INTEGER NOT NULL,
  PRIMARY KEY (environment, service, number)
) WITHOUT ROWID;
CREATE INDEX images_by_number ON images (number, environment, service, deployed);
CREATE INDEX images_by_environment ON images (environment, number, service, deployed);
CREATE INDEX images_by_service ON images (service, number, environment, deployed);
"""


class IndexLost(Exception):  # noqa: N818 - a state of the index
    """There is no index to ask any more; the next use makes an empty one."""


class Store:
    """Connections to one project's index; safe for many threads and processes."""

    def __init__(self, root: Path, project: str) -> None:
        self._root = root
        self._project = project
        self._path = root / f"{project}.v{VERSION}.sqlite"
        self._guard = threading.Lock()
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        self._inherited: list[tuple[int, sqlite3.Connection]] = []
        self._process = os.getpid()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment until the end of the block. Raises IndexLost."""
        with self._borrowed() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection with the only write transaction; it is committed at the end of the block. Raises IndexLost."""
        with self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def building(self) -> Iterator[None]:
        """Let one process at a time do the work of indexing; after a while everyone may, for it only costs time."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as held:
            with suppress(TimeoutError):
                held.enter_context(locked(self._root / f"{self._project}.build", _BUILD_SECONDS))
            yield

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        inode, connection = self._take()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            self._judge(error, inode)
            raise
        except BaseException:
            connection.close()
            raise
        with self._guard:
            if len(self._idle) < _IDLE_KEPT:
                self._idle.append((inode, connection))
                return
        connection.close()

    def _take(self) -> tuple[int, sqlite3.Connection]:
        present = self._inode()
        with self._guard:
            if self._process != os.getpid():  # SQLite connections must neither be used nor closed across a fork
                self._inherited, self._idle, self._process = self._idle, [], os.getpid()
            while self._idle:
                inode, connection = self._idle.pop()
                if inode == present:
                    return inode, connection
                connection.close()
        return self._open()

    def _open(self) -> tuple[int, sqlite3.Connection]:
        inode = self._inode()
        if inode is None:
            inode = self._create()
        try:
            connection = _connect(self._path)
        except sqlite3.Error as error:
            self._judge(error, inode)
            raise
        if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
            connection.close()
            self._discard(inode)
            raise IndexLost(self._project)
        return inode, connection

    def _create(self) -> int:
        """Put a new index in place, complete or not at all."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._root / f"{self._project}.create", _BUSY_SECONDS):
            present = self._inode()
            if present is not None:
                return present
            fresh = self._root / f".{self._project}.new.sqlite"
            for file in (*_files(fresh), *_files(self._path)[1:], *self._outdated()):
                file.unlink(missing_ok=True)
            with closing(_connect(fresh)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            fresh.rename(self._path)
            return self._path.stat().st_ino

    def _outdated(self) -> Iterator[Path]:
        for version in range(VERSION):
            yield from _files(self._root / f"{self._project}.v{version}.sqlite")

    def _judge(self, error: sqlite3.Error, inode: int) -> None:
        # Extended codes carry the kind of failure in their lowest byte.
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if kind in _BROKEN:
            self._discard(inode)
        if kind in _BROKEN or self._inode() != inode:
            raise IndexLost(self._project) from error

    def _discard(self, inode: int) -> None:
        with locked(self._root / f"{self._project}.create", _BUSY_SECONDS):
            if self._inode() == inode:
                for file in _files(self._path):
                    file.unlink(missing_ok=True)

    def _inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -8000")
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except BaseException:
        connection.close()
        raise
    return connection


def _files(path: Path) -> tuple[Path, ...]:
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
