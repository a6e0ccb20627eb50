"""The fate of commits in environments: the stored verdict, or what Git alone can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.ports import Unreachable
from adapters.records import RolloutRecord
from adapters.wiring import Ports
from api.reading.commits import Newest, commits_of
from api.reading.heads import Flights, heads_of
from api.reading.statuses import silent
from gitops.commits import CommitFilter, CommitRecord
from gitops.rollouts import Rollout, RolloutPhase, gone_rollout

_AWAY = "Redis cannot be asked now, so nothing is known of this rollout."


@dataclass(frozen=True)
class RolloutView:
    """The last verdict on a commit in an environment, or what can be told without one."""

    rollout: Rollout
    stale: bool


RolloutKey = tuple[str, str, str]
"""project, environment, full SHA"""


def rollouts_of(ports: Ports, flights: Flights, keys: Sequence[RolloutKey]) -> list[RolloutView]:
    """The rollout of each commit in an environment, in order. Git is asked only where no verdict is stored."""
    verdicts = _verdicts(ports, keys)
    if verdicts is None:
        return [RolloutView(Rollout(RolloutPhase.UNKNOWN, final=False, message=_AWAY), stale=True) for _ in keys]
    stored, stale = verdicts
    open_keys = [key for key in keys if key not in stored]
    told = dict(zip(open_keys, _by_history(ports, flights, open_keys), strict=True))
    return [RolloutView(stored[key].rollout if key in stored else told[key], stale) for key in keys]


def _verdicts(ports: Ports, keys: Sequence[RolloutKey]) -> tuple[Mapping[RolloutKey, RolloutRecord], bool] | None:
    try:
        return ports.statuses.rollouts(keys), silent(ports)
    except Unreachable:
        return None


def _by_history(ports: Ports, flights: Flights, keys: Sequence[RolloutKey]) -> list[Rollout]:
    records = commits_of(ports, flights, [(project, sha) for project, _, sha in keys])
    projects = sorted({project for project, _, _ in keys})
    heads = dict(zip(projects, heads_of(ports, flights, projects), strict=True))
    newest = {project: ports.history.newest(project, head.sha) if head.sha else {} for project, head in heads.items()}
    told = []
    for key, record in zip(keys, records, strict=True):
        there = newest[key[0]].get((key[1], "+"))
        if record is not None and (there is None or there.number > record.number):
            last = None if there else _last(ports, key, heads[key[0]].sha)
            told.append(gone_rollout(key[1], removed=last == record.git.sha))
        else:
            told.append(_without_verdict(key, record, newest[key[0]]))
    return told


def _last(ports: Ports, key: RolloutKey, head: str | None) -> str | None:
    """The newest commit that touched an environment: of one that is gone, that which removed it."""
    project, environment, _ = key
    found, _ = ports.history.commits(project, head, CommitFilter(environment=environment), 1, None) if head else ((), 0)
    return found[0].git.sha if found else None


def _without_verdict(key: RolloutKey, commit: CommitRecord | None, newest: Newest) -> Rollout:
    project, environment, sha = key
    if commit is None:
        gone = f"The history of project {project} does not hold {sha[:7]}."
        return Rollout(RolloutPhase.UNKNOWN, final=True, message=gone)
    if newer := _newer(environment, commit, newest):
        message = f"Commit {newer.git.sha[:7]} changed the same service before this one was seen to run."
        return Rollout(RolloutPhase.SUPERSEDED, final=True, message=message)
    return Rollout(RolloutPhase.PENDING, final=False, message="Waiting for the delivery to report on this commit.")


def _newer(environment: str, commit: CommitRecord, newest: Newest) -> CommitRecord | None:
    """The newest commit that changed the services of this one, when every one of them was changed again."""
    latest = [newest.get((environment, service)) for service in commit.services]
    later = [other for other in latest if other is not None and other.number > commit.number]
    return later[0] if latest and len(later) == len(latest) else None
