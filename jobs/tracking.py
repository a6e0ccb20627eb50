"""The observer's memory: what the delivery last said, and which commits still wait for their fate.

Rebuilt from history and Redis by whoever becomes leader; nothing in it is a source of truth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from adapters.records import RolloutRecord
from adapters.wiring import Ports
from gitops.commits import CommitFilter, CommitRecord
from gitops.rollouts import HealthStatus, Observation, Rollout, SyncStatus
from gitops.verdicts import CommitFacts, Timings, outlook, verdict

Place = tuple[str, str]
"""(project, environment)"""
_RECENT = 100
"""Commits of a project whose fate a new leader looks at again."""


@dataclass
class Watched:
    """One commit in one environment."""

    record: CommitRecord
    landed_at: datetime
    rollout: Rollout | None = None
    refreshed_at: datetime | None = None
    outlook: tuple[bool, SyncStatus, bool, HealthStatus] | None = None
    steady_since: datetime | None = None


@dataclass
class Tracker:
    """Feed it commits and observations; `judge` says what became of them."""

    ports: Ports
    timings: Timings = field(default_factory=Timings)
    heads: dict[str, str] = field(default_factory=dict)
    observations: dict[Place, Observation] = field(default_factory=dict)
    watched: dict[Place, dict[str, Watched]] = field(default_factory=dict)

    def start(self, project: str, head: str) -> None:
        """Take up a project: its recent commits that no final verdict is known of."""
        self.heads[project] = head
        recent, _ = self.ports.history.commits(project, head, CommitFilter(), _RECENT, None)
        newest = self.ports.history.newest(project, head)
        here = {environment for environment, _ in newest}
        records = {record.git.sha: record for record in (*recent, *newest.values())}
        pairs = [
            (environment, record)
            for record in records.values()
            for environment in record.environments
            if environment in here
        ]
        known = self.ports.statuses.rollouts([(project, environment, record.git.sha) for environment, record in pairs])
        for environment, record in pairs:
            judged = known.get((project, environment, record.git.sha))
            rollout = judged.rollout if judged else None
            self._watch(project, environment, record, record.git.committed_at, rollout)

    def landed(self, project: str, head: str, shas: Sequence[str]) -> None:
        """New commits at a new head."""
        self.heads[project] = head
        records = self.ports.history.find(project, head, shas)
        for record in records.values():
            for environment in record.environments:
                self._watch(project, environment, record, datetime.now(UTC), None)

    def forget(self, project: str, kept: Iterable[str] = ()) -> None:
        """Drop what is remembered of environments that are gone."""
        keep = set(kept)
        for place in [
            place for place in {*self.watched, *self.observations} if place[0] == project and place[1] not in keep
        ]:
            self.watched.pop(place, None)
            self.observations.pop(place, None)

    def observed(self, observation: Observation) -> bool:
        """Take in what the delivery says; whether anything that matters changed."""
        place = (observation.project, observation.environment)
        before = self.observations.get(place)
        self.observations[place] = observation
        return before is None or replace(before, observed_at=observation.observed_at) != observation

    def stale(self, project: str) -> list[str]:
        """Environments whose newest touching commit the delivery has not looked at yet."""
        head = self.heads[project]
        newest = {
            name: record for (name, part), record in self.ports.history.newest(project, head).items() if part == ""
        }
        numbers = self._numbers(project, [(project, name) for name in newest])
        return [name for name, record in newest.items() if numbers.get((project, name), 0) < record.number]

    def refreshed(self, project: str, environments: Iterable[str]) -> None:
        """The delivery was asked to look at these at the present head."""
        for environment in environments:
            for watched in self.watched.get((project, environment), {}).values():
                watched.refreshed_at = watched.refreshed_at or datetime.now(UTC)

    def judge(self, project: str) -> list[RolloutRecord]:
        """Verdicts that changed, of all that is watched in the project."""
        head = self.heads[project]
        newest = self.ports.history.newest(project, head)
        places = [place for place in self.watched if place[0] == project]
        numbers = self._numbers(project, places)
        known = self.ports.history.find(project, head, sorted({sha for place in places for sha in self.watched[place]}))
        changed = []
        for place in places:
            for sha, watched in list(self.watched[place].items()):
                facts = self._facts(place, watched, newest, numbers, in_history=sha in known)
                found = verdict(facts, self.observations.get(place), watched.rollout, datetime.now(UTC), self.timings)
                if found != watched.rollout:
                    changed.append(RolloutRecord(*place, sha, found))
                watched.rollout = found
                if found.final and (facts.superseded_by or not facts.in_history):
                    del self.watched[place][sha]
        return changed

    def _watch(
        self, project: str, environment: str, record: CommitRecord, landed_at: datetime, rollout: Rollout | None
    ) -> None:
        places = self.watched.setdefault((project, environment), {})
        if record.git.sha not in places:
            places[record.git.sha] = Watched(record, landed_at, rollout)

    def _facts(
        self,
        place: Place,
        watched: Watched,
        newest: Mapping[Place, CommitRecord],
        numbers: Mapping[Place, int],
        *,
        in_history: bool,
    ) -> CommitFacts:
        record, environment = watched.record, place[1]
        observation = self.observations.get(place)
        covered = numbers.get(place, 0) >= record.number
        identity = newest.get((environment, "+"))
        facts = CommitFacts(
            sha=record.git.sha,
            in_history=in_history,
            landed_at=watched.landed_at,
            services=record.services,
            superseded_by=_superseded_by(record, environment, newest),
            identity=identity.git.sha if identity else None,
            refreshed_at=watched.refreshed_at,
            compared_at=observation.observed_at if observation else None,
            covered=covered,
            in_operation=covered,
            steady_since=watched.steady_since,
            images=tuple(
                change.after for change in record.images if change.environment == environment and change.after
            ),
        )
        if observation is None:
            return facts
        now_seen = outlook(facts, observation)
        if now_seen != watched.outlook:
            watched.outlook, watched.steady_since = now_seen, datetime.now(UTC)
        return replace(facts, steady_since=watched.steady_since)

    def _numbers(self, project: str, places: Iterable[Place]) -> dict[Place, int]:
        """How far in the history each place was observed; absent for what is not a commit of it."""
        seen = {place: self.observations[place].revision for place in places if place in self.observations}
        revisions = {place: revision for place, revision in seen.items() if revision}
        found = self.ports.history.find(project, self.heads[project], sorted(set(revisions.values())))
        return {place: found[rev].number for place, rev in revisions.items() if rev in found}


def _superseded_by(record: CommitRecord, environment: str, newest: Mapping[Place, CommitRecord]) -> str | None:
    """A newer commit that changed all the services of this one here."""
    latest = [newest.get((environment, service)) for service in record.services]
    if not latest or any(other is None or other.number <= record.number for other in latest):
        return None
    return next(other.git.sha for other in latest if other is not None)
