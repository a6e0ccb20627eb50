"""Questions to the index of one project, each at commit number N: what came later is not there."""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.history_rows import load
from gitops.commits import CommitFilter, CommitRecord, DeploymentRecord
from gitops.problems import invalid

_REVISION = re.compile(r"[0-9a-f]{4,40}")
_COUNTED = 5000
_ALIVE = "l.created <= :at AND (l.deleted IS NULL OR l.deleted > :at)"


_TRIGRAM = 3
_TRIGRAMS_ASKED = 32


@dataclass(frozen=True)
class _Source:
    """A table that holds the numbers of commits for which one condition is true, under the alias {0}."""

    table: str
    condition: str
    values: tuple[object, ...]
    size: int
    """Up to _COUNTED."""
    number: str = "number"
    ordered: bool = True
    """Whether the table gives these numbers in order, so that a page needs no more of them than it shows."""

    def check(self) -> str:
        """The condition on one commit, under the alias c."""
        if self.table == "commits":
            return self.condition.format("c")
        found = f"{self.condition.format('o')} AND o.{self.number} = c.number"
        return f"EXISTS (SELECT 1 FROM {self.table} o WHERE {found})"  # noqa: S608 - the names are ours

    @property
    def leads(self) -> bool:
        """Whether a search may begin with it."""
        return self.ordered or self.size < _COUNTED


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
    every = _Source("commits", "TRUE", (), _COUNTED + 1)
    sources = sorted(_sources(connection, where), key=lambda source: source.size)
    leading = next((source for source in sources if source.leads), every)
    others = [source for source in sources if source is not leading and source.table != "trigrams"]
    checks, values = [source.check() for source in others], [value for source in others for value in source.values]
    if where.text:  # last, for it reads the most
        checks.append("(SELECT instr(t.folded, ?) FROM texts t WHERE t.number = c.number)")
        values.append(where.text.casefold())
    # CROSS JOIN: SQLite must not lead with another table. Without a leading one, a join costs five times the search.
    number = "c.number" if leading is every else f"s.{leading.number}"
    tables = "commits c" if leading is every else f"{leading.table} s CROSS JOIN commits c ON c.number = {number}"
    order = number if leading.ordered else f"+{number}"  # or SQLite would go through all commits for their order
    query = " ".join(  # every value is bound; the names are ours
        (
            f"SELECT {number} FROM {tables}",  # noqa: S608
            f"WHERE {' AND '.join((leading.condition.format('s'), f'{order} <= ?', *checks))}",
            f"ORDER BY {order} DESC LIMIT ?",
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
    """What holds each condition; the trigrams of a text only tell where it may be."""
    found = []
    if trigrams := _trigrams((where.text or "").casefold()):
        found.append(_Source("trigrams", "trigrams MATCH ?", (trigrams,), _COUNTED, "rowid"))
    touched = "{0}.environment = ? AND {0}.service = ?"
    if where.environment is not None:
        found.append(_Source("touches", touched, (where.environment, ""), 0))
    if where.service is not None:
        found.append(_Source("touches", touched, ("", where.service), 0))
    if path := (where.path or "").strip("/"):
        found.append(_Source("path_touches", "{0}.path = (SELECT id FROM paths WHERE path = ?)", (path,), 0))
    found += _own(connection, where)
    return [source if source.size else _counted(connection, source) for source in found]


def _own(connection: sqlite3.Connection, where: CommitFilter) -> Iterator[_Source]:
    """The conditions on commits themselves."""
    if where.kinds:
        yield _one_of("kind", where.kinds)
    if where.author:
        people = connection.execute("SELECT id FROM authors WHERE instr(folded, ?)", (where.author.casefold(),))
        yield _one_of("author", [row[0] for row in people])
    since, until = (None if moment is None else moment.timestamp() for moment in (where.since, where.until))
    if since is not None or until is not None:
        bounds = (float("-inf") if since is None else since, float("inf") if until is None else until)
        yield _Source("commits", "{0}.at BETWEEN ? AND ?", bounds, 0, ordered=False)


def _one_of(column: str, values: Sequence[object]) -> _Source:
    marks = ", ".join("?" for _ in values)
    return _Source("commits", f"{{0}}.{column} IN ({marks})", tuple(values), 0, ordered=len(values) <= 1)


def _counted(connection: sqlite3.Connection, source: _Source) -> _Source:
    """The source with its size up to a bound, so that the smallest can lead."""
    query = (
        f"SELECT count(*) FROM (SELECT 1 FROM {source.table} s WHERE {source.condition.format('s')} LIMIT {_COUNTED})"  # noqa: S608
    )
    return replace(source, size=connection.execute(query, source.values).fetchone()[0])


def _trigrams(text: str) -> str:
    """A question to the table of trigrams: what contains the text contains these, each third and the last. '' for a
    text that is too short, or that the question could not hold.
    """
    last = len(text) - _TRIGRAM
    if last < 0 or "\0" in text:
        return ""
    starts = (*range(0, last, _TRIGRAM), last)[-_TRIGRAMS_ASKED:]
    asked = dict.fromkeys(text[start : start + _TRIGRAM].replace('"', '""') for start in starts)
    return " AND ".join(f'"{each}"' for each in asked)


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
