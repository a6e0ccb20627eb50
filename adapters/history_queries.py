"""Questions to the index of one project, each at commit number N: what came later is not there."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.history_rows import load
from gitops.commits import CommitFilter, CommitRecord, DeploymentRecord
from gitops.problems import invalid

_REVISION = re.compile(r"[0-9a-f]{4,40}")
_COUNTED = 5000
_ALIVE = "l.created <= :at AND (l.deleted IS NULL OR l.deleted > :at)"


@dataclass(frozen=True)
class _Source:
    """A table that holds the numbers of commits for which one condition is true, under the alias s."""

    table: str
    condition: str
    values: tuple[object, ...]
    size: int


def number_of(connection: sqlite3.Connection, sha: str) -> int | None:
    """A commit's number; None when the index does not hold it."""
    row = connection.execute("SELECT number FROM commits WHERE sha = ?", (sha,)).fetchone()
    return int(row[0]) if row else None


def read_records(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, CommitRecord]:
    """Commits by number."""
    find = "SELECT content FROM records WHERE number = ?"
    return {number: load(number, connection.execute(find, (number,)).fetchone()[0]) for number in set(numbers)}


def select_commits(
    connection: sqlite3.Connection, at: int, where: CommitFilter, first: int, after: str | None
) -> tuple[Sequence[CommitRecord], bool]:
    """See ports.History.commits."""
    newest = at if after is None else _cursor(connection, after, at) - 1
    sources = sorted(_sources(connection, where), key=lambda source: source.size)
    conditions, values = _conditions(connection, where)
    for other in sources[1:]:
        conditions.append(f"EXISTS (SELECT 1 FROM {other.table} s WHERE {other.condition} AND s.number = c.number)")  # noqa: S608
        values.extend(other.values)
    # CROSS JOIN: SQLite must not lead with another table. Without a leading one, a join costs five times the search.
    leading, tables, number = _Source("commits", "TRUE", (), 0), "commits c", "c.number"
    if sources:
        leading, number = sources[0], "s.number"
        tables = f"{leading.table} s CROSS JOIN commits c ON c.number = s.number"
    query = " ".join(  # every value is bound; the names are ours
        (
            f"SELECT {number} FROM {tables}",  # noqa: S608
            f"WHERE {' AND '.join((leading.condition, f'{number} <= ?', *conditions))}",
            f"ORDER BY {number} DESC LIMIT ?",
        )
    )
    rows = connection.execute(query, (*leading.values, newest, *values, first + 1)).fetchall()
    numbers = [int(number) for (number,) in rows]
    records = read_records(connection, numbers[:first])
    return [records[number] for number in numbers[:first]], len(numbers) > first


def find_revisions(connection: sqlite3.Connection, at: int, revisions: Sequence[str]) -> Mapping[str, CommitRecord]:
    """See ports.History.find."""
    found: dict[str, int] = {}
    for revision in revisions:
        prefix = revision.lower()
        if not _REVISION.fullmatch(prefix):
            continue
        rows = connection.execute(
            "SELECT number FROM commits WHERE sha >= ? AND sha < ? AND number <= ? LIMIT 2", (prefix, f"{prefix}g", at)
        ).fetchall()
        if len(rows) == 1:
            found[revision] = rows[0][0]
    records = read_records(connection, list(found.values()))
    return {revision: records[number] for revision, number in found.items()}


def find_landed(connection: sqlite3.Connection, at: int, jobs: Sequence[str]) -> Mapping[str, CommitRecord]:
    """See ports.History.landed. The first commit counts when a job has more than one."""
    find = "SELECT min(number) FROM commits WHERE job = ? AND number <= ?"
    numbers = {job: connection.execute(find, (job, at)).fetchone()[0] for job in jobs}
    records = read_records(connection, [number for number in numbers.values() if number is not None])
    return {job: records[number] for job, number in numbers.items() if number is not None}


def select_deployments(
    connection: sqlite3.Connection, at: int, environment: str | None, service: str | None, first: int, after: str | None
) -> tuple[Sequence[DeploymentRecord], bool]:
    """See ports.History.deployments. Within one commit: environments, then services, by name."""
    conditions = ["i.deployed", "i.number <= ?"]
    values: list[object] = [at, at]
    for column, wanted in (("environment", environment), ("service", service)):
        if wanted is not None:
            conditions.append(f"i.{column} = ?")
            values.append(wanted)
    if after is not None:
        place = _deployment_cursor(connection, after, at)
        conditions.append("i.number <= ? AND (i.number < ? OR (i.environment, i.service) > (?, ?))")
        values.extend((place[0], *place))
    query = (
        "SELECT i.number, i.environment, i.service, NOT EXISTS (SELECT 1 FROM images later"  # noqa: S608 - values are bound
        " WHERE later.environment = i.environment AND later.service = i.service"
        " AND later.number > i.number AND later.number <= ?)"
        f" FROM images i WHERE {' AND '.join(conditions)}"
        " ORDER BY i.number DESC, i.environment, i.service LIMIT ?"
    )
    rows = connection.execute(query, (*values, first + 1)).fetchall()
    records = read_records(connection, [row[0] for row in rows[:first]])
    found = (_deployment(records[row[0]], row[1], row[2], current=bool(row[3])) for row in rows[:first])
    return [deployment for deployment in found if deployment], len(rows) > first


def current_deployments(connection: sqlite3.Connection, at: int) -> Mapping[tuple[str, str], DeploymentRecord]:
    """See ports.History.current."""
    query = (
        "SELECT p.environment, p.service, (SELECT max(i.number) FROM images i WHERE i.environment = p.environment"  # noqa: S608
        " AND i.service = p.service AND i.number <= :at) AS newest"
        f" FROM lives l JOIN pairs p ON p.environment = l.environment WHERE {_ALIVE} AND newest IS NOT NULL"
    )
    rows = connection.execute(query, {"at": at}).fetchall()
    records = read_records(connection, [row[2] for row in rows])
    found = (_deployment(records[number], name, service, current=True) for name, service, number in rows)
    return {(deployment.environment, deployment.service): deployment for deployment in found if deployment}


def newest_commits(connection: sqlite3.Connection, at: int) -> Mapping[tuple[str, str], CommitRecord]:
    """See ports.History.newest."""
    query = (
        "SELECT p.environment, p.service, l.created, (SELECT max(t.number) FROM touches t"  # noqa: S608
        " WHERE t.environment = p.environment AND t.service = p.service AND t.number <= :at) AS newest"
        f" FROM lives l JOIN pairs p ON p.environment = l.environment WHERE {_ALIVE} AND newest >= l.created"
    )
    numbers: dict[tuple[str, str], int] = {}
    for name, service, created, newest in connection.execute(query, {"at": at}):
        numbers[name, service] = newest
        numbers[name, "+"] = created
    records = read_records(connection, list(numbers.values()))
    return {key: records[number] for key, number in numbers.items()}


def touched_pairs(connection: sqlite3.Connection, at: int, sha: str) -> Sequence[tuple[str, str]]:
    """See ports.History.touched."""
    query = (
        "SELECT p.environment, p.service FROM commits c JOIN pairs p JOIN touches t"
        " ON t.environment = p.environment AND t.service = p.service AND t.number = c.number"
        " WHERE c.sha = ? AND c.number <= ? AND p.environment != '' AND p.service != '' ORDER BY 1, 2"
    )
    return [(environment, service) for environment, service in connection.execute(query, (sha, at))]


def _sources(connection: sqlite3.Connection, where: CommitFilter) -> list[_Source]:
    sources = []
    touched = "s.environment = ? AND s.service = ?"
    if where.environment is not None:
        sources.append(_counted(connection, "touches", touched, (where.environment, "")))
    if where.service is not None:
        sources.append(_counted(connection, "touches", touched, ("", where.service)))
    if path := (where.path or "").strip("/"):
        place = "s.path = (SELECT id FROM paths WHERE path = ?)"
        sources.append(_counted(connection, "path_touches", place, (path,)))
    if where.text:
        sources.append(_Source("texts", "instr(s.folded, ?)", (where.text.casefold(),), _COUNTED + 1))
    return sources


def _counted(connection: sqlite3.Connection, table: str, condition: str, values: tuple[object, ...]) -> _Source:
    """The source with its size up to a bound, so that the smallest can lead."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM {table} s WHERE {condition} LIMIT {_COUNTED})"  # noqa: S608
    return _Source(table, condition, values, connection.execute(query, values).fetchone()[0])


def _conditions(connection: sqlite3.Connection, where: CommitFilter) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    if where.kinds:
        conditions.append(f"c.kind IN ({_marks(where.kinds)})")
        values.extend(where.kinds)
    if where.author:
        query = "SELECT id FROM authors WHERE instr(folded, ?)"
        people = [row[0] for row in connection.execute(query, (where.author.casefold(),))]
        conditions.append(f"c.author IN ({_marks(people)})")
        values.extend(people)
    for moment, sign in ((where.since, ">="), (where.until, "<=")):
        if moment is not None:
            conditions.append(f"c.at {sign} ?")
            values.append(moment.timestamp())
    return conditions, values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)


def _cursor(connection: sqlite3.Connection, sha: str, at: int) -> int:
    number = number_of(connection, sha)
    if number is None or number > at:
        raise invalid("after", "the cursor is no commit of this history: begin again without it")
    return number


def _deployment_cursor(connection: sqlite3.Connection, after: str, at: int) -> tuple[int, str, str]:
    sha, _, rest = after.partition(":")
    environment, separator, service = rest.partition(":")
    if not separator:
        raise invalid("after", "the cursor is no deployment of this history: begin again without it")
    return _cursor(connection, sha, at), environment, service


def _deployment(record: CommitRecord, environment: str, service: str, *, current: bool) -> DeploymentRecord | None:
    """What the commit put there; None when it took the image away."""
    for change in record.images:
        if (change.environment, change.service) == (environment, service) and change.after is not None:
            return DeploymentRecord(environment, service, change.after, change.before, record, current)
    return None
