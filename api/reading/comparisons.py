"""Two points of a history beside each other: two revisions, two environments, one environment at two times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from api.reading.differences import FileDelta, deltas_of, every_path
from api.reading.heads import Flights, head_of
from api.reading.points import Point, locate
from gitops.commits import CommitFilter, CommitRecord
from gitops.layout import BASE, environment_folder, environment_values
from gitops.repository import has_environment
from gitops.tree import Tree

MAX_COMMITS = 250


@dataclass(frozen=True)
class Comparison:
    """`commits` follow base up to head, newest first, at most 250: of environments those that touched them."""

    base: CommitRecord
    head: CommitRecord
    commits: Sequence[CommitRecord]
    deltas: Sequence[FileDelta]


def compare(ports: Ports, flights: Flights, project: str, base: Point, head: Point) -> Comparison | None:
    """Both points name an environment, or neither does. None when one of them does not exist."""
    newest = head_of(ports, flights, project).sha
    if newest is None:
        return None
    older, newer = (locate(ports, flights, project, newest, point) for point in (base, head))
    if older is None or newer is None:
        return None
    try:
        before, after = (ports.repositories.snapshot(project, commit.git.sha) for commit in (older, newer))
        if not (_is_there(before, base.environment) and _is_there(after, head.environment)):
            return None
        paths = _paths(before, after, base.environment, head.environment)
        environments = {base.environment, head.environment}
        commits = _between(ports, project, older, newer, environments)
    except MissingCommit:
        return None
    return Comparison(older, newer, commits, list(deltas_of(before, after, paths)))


def _is_there(tree: Tree, environment: str | None) -> bool:
    return environment is None or has_environment(tree, environment)


def _paths(before: Tree, after: Tree, base: str | None, head: str | None) -> list[tuple[str, str]]:
    """What is compared: everything; all that makes an environment; of two environments their values and the base."""
    if base is None or head is None:
        return every_path(before, after)
    if base == head:
        return every_path(before, after, BASE) + every_path(before, after, environment_folder(head))
    return [*every_path(before, after, BASE), (environment_values(base), environment_values(head))]


def _between(
    ports: Ports, project: str, base: CommitRecord, head: CommitRecord, environments: Iterable[str | None]
) -> list[CommitRecord]:
    found: dict[int, CommitRecord] = {}
    for name in environments:
        page, _ = ports.history.commits(project, head.git.sha, CommitFilter(environment=name), MAX_COMMITS, None)
        found |= {commit.number: commit for commit in page if commit.number > base.number}
    return [found[number] for number in sorted(found, reverse=True)][:MAX_COMMITS]
