"""Points of a project's history: a commit by revision or by time, and an environment as it was there."""

from dataclasses import dataclass
from datetime import datetime

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from api.reading.commits import commits_of
from api.reading.heads import Flights
from api.reading.repositories import Place, place_of, views_of
from gitops.commits import CommitFilter, CommitRecord
from gitops.layout import CHART, environment_values
from gitops.problems import Refused
from gitops.values import parse_key
from gitops.yamltext import parse


@dataclass(frozen=True)
class Point:
    """At most one of `revision` and `time` is given; neither: the head."""

    environment: str | None = None
    revision: str | None = None
    time: datetime | None = None


@dataclass(frozen=True)
class Line:
    """One line of a file, from 1, and the commit that wrote it."""

    commit: CommitRecord
    number: int
    text: str


def locate(ports: Ports, flights: Flights, project: str, head: str, point: Point) -> CommitRecord | None:
    """The commit of a point: of a time, the newest one that is not later. None when there is none."""
    if point.revision is not None:
        return commits_of(ports, flights, [(project, point.revision)])[0]
    try:
        found, _ = ports.history.commits(project, head, CommitFilter(until=point.time), 1, None)
    except MissingCommit:
        return None
    return found[0] if found else None


def place_at(ports: Ports, flights: Flights, place: Place, point: Point) -> tuple[Place, CommitRecord] | None:
    """An environment as it was at a point, and the commit; None where it was not."""
    record = locate(ports, flights, place.project, place.sha, point)
    if record is None:
        return None
    sha = record.git.sha
    (view,) = views_of(ports, [(place.project, sha)])
    found = place_of(place.project, sha, view, place.environment.name)
    return (found, record) if found else None


def blame(ports: Ports, place: Place, key: str) -> list[Line] | None:
    """The lines of a key in an environment's own values.yaml, written in full or without the chart's name before it.

    None without such a key, and when the file cannot be read. Raises Refused(InvalidInput) for a malformed key.
    """
    wanted = parse_key(key)
    path = environment_values(place.environment.name)
    try:
        document = parse(ports.repositories.snapshot(place.project, place.sha).read(path) or b"", path)
        lines = document.lines_of(wanted) or document.lines_of((CHART, *wanted))
        found = ports.history.blame(place.project, place.sha, path, lines) if lines else ()
    except (Refused, MissingCommit):
        return None
    texts = document.text.split("\n")
    numbered = zip(lines or (), found, strict=True)
    return [Line(commit, number, texts[number - 1].rstrip("\r")) for number, commit in numbered] or None
