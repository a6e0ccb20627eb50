"""Who wrote each line of a file: replayed over the first-parent commits that touched it, from the last kept blame on.

Blames are kept in the index now and then, so that neither a new commit nor a look back costs more than a short walk.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

import pygit2
from pygit2.enums import DiffOption

from adapters.history_walk import commit_at, content_at

KEPT_EVERY = 128
_AS_GIT_BLAMES = DiffOption.INDENT_HEURISTIC | DiffOption.FORCE_TEXT

Writers = list[int]
"""For each line of a file, the number of the commit that wrote it."""


@dataclass(frozen=True)
class Route:
    """Where a replay begins, and the (number, sha) of the commits that it passes, oldest first."""

    begin: tuple[str, Writers] | None
    """The commit of a kept blame, and what it says; None: before the first commit."""
    passes: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Blame:
    """Who wrote the lines that one commit left."""

    number: int
    sha: str
    writers: Writers


def find_route(connection: Connection, at: int, path: str) -> Route:
    """The shortest replay to commit number `at`."""
    kept = connection.execute(
        "SELECT b.number, c.sha, b.writers FROM blames b JOIN commits c ON c.number = b.number"
        " WHERE b.path = (SELECT id FROM paths WHERE path = ?) AND b.number <= ? ORDER BY b.number DESC LIMIT 1",
        (path, at),
    ).fetchone()
    rows = connection.execute(
        "SELECT t.number, c.sha FROM path_touches t JOIN commits c ON c.number = t.number"
        " WHERE t.path = (SELECT id FROM paths WHERE path = ?) AND t.number > ? AND t.number <= ? ORDER BY t.number",
        (path, kept[0] if kept else 0, at),
    ).fetchall()
    return Route((kept[1], json.loads(kept[2])) if kept else None, rows)


def replay(repository: pygit2.Repository, path: str, route: Route) -> Iterator[Blame]:
    """What is so after each commit of a route. Raises MissingCommit."""
    before, writers = b"", Writers()
    if route.begin is not None:
        sha, writers = route.begin
        before = content_at(repository, commit_at(repository, sha).tree, path) or b""
    for number, sha in route.passes:
        after = content_at(repository, commit_at(repository, sha).tree, path) or b""
        writers = _written(writers, before, after, number)
        before = after
        yield Blame(number, sha, writers)


def keep(connection: Connection, path: str, blames: Sequence[Blame]) -> None:
    """Add blames to the index, but those of commits that it has lost meanwhile."""
    connection.executemany(
        "INSERT OR IGNORE INTO blames SELECT p.id, c.number, ? FROM paths p, commits c"
        " WHERE p.path = ? AND c.number = ? AND c.sha = ?",
        ((json.dumps(one.writers, separators=(",", ":")), path, one.number, one.sha) for one in blames),
    )


def _written(writers: Writers, before: bytes, after: bytes, number: int) -> Writers:
    """Lines that stayed keep their writer; the others were written by commit `number`."""
    found: Writers = []
    done = 0
    patch = pygit2.Patch.create_from(before, after, flag=_AS_GIT_BLAMES, context_lines=0)
    for hunk in patch.hunks:
        # Of nothing, Git names the line before.
        first = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        found += writers[done:first]
        found += [number] * hunk.new_lines
        done = first + hunk.old_lines
    return found + writers[done:]
