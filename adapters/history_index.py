"""Growing the index of one project: new first-parent commits, in chunks, so that a killed build goes on where it was.

When history was rewritten, what followed the last common commit is taken away first.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from adapters.history_rows import dump, load
from adapters.history_store import Store
from adapters.history_walk import Mirror, Step, commit_at, state_at, unknown_commits, walk
from adapters.ports import MissingCommit
from gitops.commits import CommitRecord, Person
from gitops.history import State, told_by

CHUNK = 1000
_NUMBERED = ("commits", "records", "texts", "touches", "path_touches", "blames", "images")


class Indexer:
    """Brings one project's index to a head; remembers where it stopped, so that a new commit costs no look back."""

    def __init__(self, store: Store, mirror: Mirror, project: str) -> None:
        self._store = store
        self._mirror = mirror
        self._project = project
        self._reached: tuple[str, State] = ("", State())

    def grow(self, head: str) -> None:
        """Index the first-parent history of `head`, by the keys that count now. Raises MissingCommit, IndexLost."""
        with self._store.building():
            self._verify(self._mirror.trust())
            while not self._grown(head):
                pass

    def _verify(self, trust: str) -> None:
        """Judge the signatures of all that is there again, if other keys counted when that was done."""
        with self._store.reading() as connection:
            if trust_of(connection) == trust:
                return
            last, _ = tip_of(connection)
        for start in range(0, last, CHUNK):
            with self._store.writing() as connection:
                self._verify_some(connection, range(start + 1, start + 1 + CHUNK))
        with self._store.writing() as connection:
            connection.execute("DELETE FROM trust")
            connection.execute("INSERT INTO trust VALUES (?)", (trust,))

    def _verify_some(self, connection: sqlite3.Connection, numbers: range) -> None:
        query = "SELECT number, content FROM records WHERE number BETWEEN ? AND ? ORDER BY number"
        for number, content in connection.execute(query, (numbers[0], numbers[-1])).fetchall():
            was = load(number, content)
            try:
                now = self._told(was)
            except MissingCommit:  # of a history that was rewritten: whoever still asks for it indexes it again
                forget_after(connection, number - 1)
                return
            if now != was:
                connection.execute("UPDATE records SET content = ? WHERE number = ?", (dump(now), number))
                connection.execute(
                    "UPDATE commits SET kind = ?, job = ? WHERE number = ?", (now.kind, now.job_id, number)
                )

    def _told(self, record: CommitRecord) -> CommitRecord:
        git = self._mirror.git_commit(self._project, record.git.sha)
        kind, job = told_by(git)
        return replace(record, git=git, kind=kind, job_id=job)

    def _grown(self, head: str) -> bool:
        """Add what is missing; False when another process changed the index meanwhile."""
        repository = self._mirror.objects(self._project)
        with self._store.reading() as connection:
            tip = tip_of(connection)
            known = number_finder(connection) if tip[0] else _nothing
            missing, number = unknown_commits(repository, head, known)
            below = sha_of(connection, number)
        steps = walk(self._mirror, self._project, missing, number, self._state(below))
        while chunk := list(islice(steps, CHUNK)):
            with self._store.writing() as connection:
                if tip_of(connection) != tip:
                    return False
                if tip[0] > number:
                    forget_after(connection, number)
                insert(connection, [one for one, _ in chunk])
            last, state = chunk[-1]
            number = last.record.number
            tip = (number, last.record.git.sha)
            self._reached = (last.record.git.sha, state)
        return True

    def _state(self, sha: str) -> State:
        if not sha:
            return State()
        reached, state = self._reached
        if reached == sha:
            return state
        repository = self._mirror.objects(self._project)
        return state_at(repository, commit_at(repository, sha))


def tip_of(connection: sqlite3.Connection) -> tuple[int, str]:
    """Number and SHA of the newest commit in the index; (0, '') when there is none."""
    row = connection.execute("SELECT number, sha FROM commits ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, "")


def trust_of(connection: sqlite3.Connection) -> str | None:
    """The keys by which the commits in the index were judged, see Mirror.trust; None while it is new."""
    row = connection.execute("SELECT name FROM trust").fetchone()
    return str(row[0]) if row else None


def sha_of(connection: sqlite3.Connection, number: int) -> str:
    """The SHA of a commit by its number; '' when there is none."""
    row = connection.execute("SELECT sha FROM commits WHERE number = ?", (number,)).fetchone()
    return str(row[0]) if row else ""


def number_finder(connection: sqlite3.Connection) -> Callable[[str], int | None]:
    """From a full SHA to its number, None for a commit that is not in the index."""

    def number_of(sha: str) -> int | None:
        row = connection.execute("SELECT number FROM commits WHERE sha = ?", (sha,)).fetchone()
        return int(row[0]) if row else None

    return number_of


def forget_after(connection: sqlite3.Connection, number: int) -> None:
    """Take away all commits above `number`."""
    connection.execute(
        "INSERT INTO trigrams (trigrams, rowid, folded) SELECT 'delete', number, folded FROM texts WHERE number > ?",
        (number,),
    )
    for table in _NUMBERED:
        connection.execute(f"DELETE FROM {table} WHERE number > ?", (number,))  # noqa: S608 - our own table names
    connection.execute("DELETE FROM lives WHERE created > ?", (number,))
    connection.execute("UPDATE lives SET deleted = NULL WHERE deleted > ?", (number,))


def insert(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Add commits, oldest first, above those that are there."""
    authors = _author_ids(connection, {step.record.git.author for step in steps})
    paths = _path_ids(connection, {place for step in steps for place in _places(step)})
    touches = [(name, service, step.record.number) for step in steps for name, service in _touches(step)]
    execute = connection.executemany
    execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)", (_commit_row(step, authors) for step in steps))
    execute("INSERT INTO records VALUES (?, ?)", ((step.record.number, dump(step.record)) for step in steps))
    texts = [(step.record.number, step.record.git.message.casefold()) for step in steps]
    execute("INSERT INTO texts VALUES (?, ?)", texts)
    execute("INSERT INTO trigrams (rowid, folded) VALUES (?, ?)", texts)
    execute("INSERT INTO touches VALUES (?, ?, ?)", touches)
    execute("INSERT OR IGNORE INTO pairs VALUES (?, ?)", {(name, service) for name, service, _ in touches})
    execute(
        "INSERT INTO path_touches VALUES (?, ?)",
        ((paths[place], step.record.number) for step in steps for place in _places(step)),
    )
    execute("INSERT INTO images VALUES (?, ?, ?, ?)", (row for step in steps for row in _image_rows(step)))
    _live(connection, steps)


def _nothing(_sha: str) -> None:
    return None


def _commit_row(step: Step, authors: dict[Person, int]) -> tuple[int, str, str, int, int, str | None]:
    record = step.record
    at = int(record.git.committed_at.timestamp())
    return record.number, record.git.sha, record.kind, authors[record.git.author], at, record.job_id


def _touches(step: Step) -> Iterator[tuple[str, str]]:
    yield from step.effect.touched
    yield from ((name, "") for name in step.effect.environments)
    yield from (("", service) for service in step.effect.services)


def _image_rows(step: Step) -> Iterator[tuple[str, str, int, bool]]:
    for change in step.effect.images:
        yield change.environment, change.service, step.record.number, change.after is not None


def _live(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    for step in steps:
        number = step.record.number
        for name in step.effect.deleted:
            connection.execute("UPDATE lives SET deleted = ? WHERE environment = ? AND deleted IS NULL", (number, name))
        for name in step.effect.created:
            connection.execute("INSERT INTO lives VALUES (?, ?, NULL)", (name, number))


def _places(step: Step) -> set[str]:
    """Every changed file and the folders around it."""
    places = set(step.paths)
    for path in step.paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in places:
            places.add(parent)
            parent = parent.rpartition("/")[0]
    return places


def _author_ids(connection: sqlite3.Connection, people: set[Person]) -> dict[Person, int]:
    rows = [(person.name, person.email, f"{person.name}\n{person.email}".casefold()) for person in people]
    connection.executemany("INSERT OR IGNORE INTO authors (name, email, folded) VALUES (?, ?, ?)", rows)
    find = "SELECT id FROM authors WHERE name = ? AND email = ?"
    return {person: connection.execute(find, (person.name, person.email)).fetchone()[0] for person in people}


def _path_ids(connection: sqlite3.Connection, places: set[str]) -> dict[str, int]:
    connection.executemany("INSERT OR IGNORE INTO paths (path) VALUES (?)", ((place,) for place in places))
    find = "SELECT id FROM paths WHERE path = ?"
    return {place: connection.execute(find, (place,)).fetchone()[0] for place in places}
