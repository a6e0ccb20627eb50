"""What commits did, from an SQLite index beside the mirrors: see ports.History. Deleting it costs the time to index."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from adapters.history_blame import KEPT_EVERY, Blame, find_route, keep, replay
from adapters.history_index import Indexer, trust_of
from adapters.history_queries import (
    current_deployments,
    find_landed,
    find_revisions,
    newest_commits,
    number_of,
    read_records,
    select_commits,
    select_deployments,
    touched_pairs,
)
from adapters.history_store import IndexLost, Store
from adapters.history_walk import Mirror, commit_at
from gitops.commits import CommitFilter, CommitRecord, DeploymentRecord

_TRIES = 5

Answer = TypeVar("Answer")


class SqliteHistory:
    """ports.History over bare mirrors. Any number of threads and processes may share `root`."""

    def __init__(self, root: Path, mirror: Mirror) -> None:
        self._root = root
        self._mirror = mirror
        self._guard = threading.Lock()
        self._indexes: dict[str, tuple[Store, Indexer, threading.Lock]] = {}

    def commits(
        self, project: str, head: str, where: CommitFilter, first: int, after: str | None
    ) -> tuple[Sequence[CommitRecord], bool]:
        """See ports.History."""
        return self._ask(project, head, lambda index, at: select_commits(index, at, where, first, after))

    def find(self, project: str, head: str, revisions: Sequence[str]) -> Mapping[str, CommitRecord]:
        """See ports.History."""
        return self._ask(project, head, lambda index, at: find_revisions(index, at, revisions))

    def landed(self, project: str, head: str, job_ids: Sequence[str]) -> Mapping[str, CommitRecord]:
        """See ports.History."""
        return self._ask(project, head, lambda index, at: find_landed(index, at, job_ids))

    def deployments(
        self, project: str, head: str, environment: str | None, service: str | None, first: int, after: str | None
    ) -> tuple[Sequence[DeploymentRecord], bool]:
        """See ports.History."""
        return self._ask(
            project, head, lambda index, at: select_deployments(index, at, environment, service, first, after)
        )

    def current(self, project: str, head: str) -> Mapping[tuple[str, str], DeploymentRecord]:
        """See ports.History."""
        return self._ask(project, head, current_deployments)

    def newest(self, project: str, head: str) -> Mapping[tuple[str, str], CommitRecord]:
        """See ports.History."""
        return self._ask(project, head, newest_commits)

    def touched(self, project: str, head: str, sha: str) -> Sequence[tuple[str, str]]:
        """See ports.History."""
        return self._ask(project, head, lambda index, at: touched_pairs(index, at, sha))

    def blame(self, project: str, head: str, path: str, lines: range) -> Sequence[CommitRecord]:
        """See ports.History."""
        route = self._ask(project, head, lambda index, at: find_route(index, at, path))
        writers = route.begin[1] if route.begin else []
        kept: list[Blame] = []
        for count, blame in enumerate(replay(self._mirror.objects(project), path, route), 1):
            writers = blame.writers
            kept += [blame] if count % KEPT_EVERY == 0 else []
        if kept:
            self._keep(project, path, kept)
        wanted = [writers[line - 1] for line in lines if line <= len(writers)]
        records = self._ask(project, head, lambda index, _: read_records(index, wanted))
        return [records[number] for number in wanted]

    def _keep(self, project: str, path: str, blames: Sequence[Blame]) -> None:
        store, _, _ = self._index(project)
        with suppress(IndexLost), store.writing() as connection:
            keep(connection, path, blames)

    def _ask(self, project: str, head: str, question: Callable[[Connection, int], Answer]) -> Answer:
        """Put a question at the number of `head`, which is indexed first when it is not yet."""
        commit_at(self._mirror.objects(project), head)
        store, indexer, growing = self._index(project)
        for _ in range(_TRIES):
            try:
                with store.reading() as connection:
                    number = number_of(connection, head)
                    if number is not None and trust_of(connection) == self._mirror.trust():
                        return question(connection, number)
                with growing:
                    indexer.grow(head)
            except IndexLost:
                continue
        raise IndexLost(f"the index of {project} broke {_TRIES} times: look at its disk")

    def _index(self, project: str) -> tuple[Store, Indexer, threading.Lock]:
        with self._guard:
            present = self._indexes.get(project)
            if present is None:
                store = Store(self._root, project)
                present = self._indexes[project] = (store, Indexer(store, self._mirror, project), threading.Lock())
            return present
