"""The observer's memory: what the delivery last said, and which commits still wait for their fate.

Rebuilt from history and Redis by whoever becomes leader; nothing in it is a source of truth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from adapters.ports import MissingCommit
from adapters.records import RolloutRecord
from adapters.wiring import Ports
from gitops.commits import CommitFilter, CommitRecord
from gitops.rollouts import HealthStatus, Observation, Rollout, RolloutPhase, SyncStatus, gone_rollout
from gitops.verdicts import CommitFacts, Timings, outlook, verdict
from jobs.effects import LocalEffect, local_effects
from jobs.telling import Place, is_news

_RECENT = 100
"""Commits of a project whose fate a new leader looks at again."""
_LONGEST_PAUSE_SECONDS = 60.0
_WELL = {RolloutPhase.DEPLOYED, RolloutPhase.SYNCED}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Watched:
    """One commit in one environment."""

    record: CommitRecord
    effect: LocalEffect
    landed_at: datetime
    rollout: Rollout | None = None
    refreshed_at: datetime | None = None
    outlook: tuple[bool, SyncStatus, bool, HealthStatus] | None = None
    steady_since: datetime | None = None


@dataclass(frozen=True)
class Asked:
    """The delivery was asked to look at an environment whose newest commit was `sha`; not again before `next_at`."""

    sha: str
    times: int
    next_at: datetime


@dataclass
class Tracker:
    """Feed it commits and observations; `judge` says what became of them."""

    ports: Ports
    timings: Timings = field(default_factory=Timings)
    clock: Callable[[], datetime] = _now
    heads: dict[str, str] = field(default_factory=dict)
    observations: dict[Place, Observation] = field(default_factory=dict)
    watched: dict[Place, dict[str, Watched]] = field(default_factory=dict)
    asked: dict[Place, Asked] = field(default_factory=dict)
    missing: set[Place] = field(default_factory=set)
    """Where there was an application, and nobody was told yet that there is none."""

    def start(self, project: str, head: str) -> None:
        """Take up a project: its recent commits that no final verdict is known of."""
        self.heads[project] = head
        recent, _ = self.ports.history.commits(project, head, CommitFilter(), _RECENT, None)
        newest = self.ports.history.newest(project, head)
        here = {environment for environment, _ in newest}
        records = {record.git.sha: record for record in (*recent, *newest.values())}
        keys = [
            (project, environment, record.git.sha)
            for record in records.values()
            for environment in record.environments
            if environment in here
        ]
        known = self.ports.statuses.rollouts(keys)
        for record in records.values():
            self._watch(project, record, {name for _, name, sha in keys if sha == record.git.sha}, known)

    def landed(self, project: str, head: str, shas: Sequence[str]) -> None:
        """New commits at a new head."""
        self.heads[project] = head
        records = self.ports.history.find(project, head, shas)
        for record in records.values():
            self._watch(project, record, set(record.environments), {})
        for sha in shas:
            if sha not in records:
                self._watch_beside(project, sha)

    def forget(self, project: str, kept: Iterable[str] = ()) -> list[RolloutRecord]:
        """Drop what is remembered of environments that are gone; the last verdicts on their commits."""
        keep = set(kept)
        places = {place for place in {*self.watched, *self.observations} if place[0] == project}
        ended = []
        for place in (place for place in places if place[1] not in keep):
            newest = max((one.record.number for one in self.watched.get(place, {}).values()), default=None)
            ended += self._ended(place, newest)
            self.lost(place)
            self.missing.discard(place)
        return ended

    def drop(self, project: str) -> bool:
        """Know nothing of a project any more: it is gone, and one of its name is another. Whether it was known."""
        self.forget(project)
        return self.heads.pop(project, None) is not None

    def give_up(self, project: str) -> list[RolloutRecord]:
        """Drop the commits of a project that is being deleted as a whole; the last verdicts on them."""
        places = [place for place in self.watched if place[0] == project]
        return [record for place in places for record in self._ended(place, None)]

    def _ended(self, place: Place, removal: int | None) -> list[RolloutRecord]:
        """Last verdicts on what is watched in one place; `removal`: number of the commit that took it away."""
        commits = self.watched.pop(place, {}).items()
        open_ones = ((sha, one) for sha, one in commits if one.rollout is None or not one.rollout.final)
        return [
            RolloutRecord(*place, sha, gone_rollout(place[1], removed=one.record.number == removal))
            for sha, one in open_ones
        ]

    def observed(self, observation: Observation) -> bool:
        """Take in what the delivery says; whether it is news."""
        place = (observation.project, observation.environment)
        before = self.observations.get(place)
        self.missing.discard(place)
        self.observations[place] = observation
        return is_news(before, observation)

    def lost(self, place: Place) -> None:
        """The delivery has no application there any more."""
        if self.observations.pop(place, None) is not None:
            self.missing.add(place)
        self.asked.pop(place, None)

    def absences(self, project: str, environments: Iterable[str]) -> list[Observation]:
        """What is to be told, once, of environments that are there in Git and lost their application."""
        gone = {place for place in self.missing if place[0] == project}
        self.missing -= gone
        said = f"The delivery has no application {project}-%s of Lucity's."
        unknown = (SyncStatus.UNKNOWN, HealthStatus.UNKNOWN, None)
        there = [name for name in environments if (project, name) in gone]
        return [Observation(project, name, None, *unknown, said % name, self.clock()) for name in there]

    def open_projects(self) -> set[str]:
        """Projects with a commit whose fate is not known yet."""
        return {
            project
            for (project, _), commits in self.watched.items()
            if any(one.rollout is None or not one.rollout.final for one in commits.values())
        }

    def stale(self, project: str) -> list[str]:
        """Environments whose newest touching commit the delivery has not looked at yet, and whose turn it is to be
        asked (again: the pauses between grow). They count as asked from now on.
        """
        head, now = self.heads[project], self.clock()
        newest = {
            name: record for (name, part), record in self.ports.history.newest(project, head).items() if part == ""
        }
        numbers = self._numbers(project, [(project, name) for name in newest])
        behind = {name: rec for name, rec in newest.items() if numbers.observed.get((project, name), 0) < rec.number}
        return [name for name, record in behind.items() if self._ask((project, name), record.git.sha, now)]

    def _ask(self, place: Place, sha: str, now: datetime) -> bool:
        before = self.asked.get(place)
        times = before.times + 1 if before is not None and before.sha == sha else 1
        if before is not None and times > 1 and now < before.next_at:
            return False
        pause = min(2.0**times, _LONGEST_PAUSE_SECONDS)
        self.asked[place] = Asked(sha, times, now + timedelta(seconds=pause))
        for watched in self.watched.get(place, {}).values():
            watched.refreshed_at = watched.refreshed_at or now
        return True

    def judge(self, project: str) -> list[RolloutRecord]:
        """Verdicts that changed, of all that is watched in the project."""
        head, now = self.heads[project], self.clock()
        newest = self.ports.history.newest(project, head)
        places = [place for place in self.watched if place[0] == project]
        numbers = self._numbers(project, places)
        known = self.ports.history.find(project, head, sorted({sha for place in places for sha in self.watched[place]}))
        changed = []
        for place in places:
            for sha, watched in list(self.watched[place].items()):
                facts = self._facts(place, watched, newest, numbers, in_history=sha in known)
                found = verdict(facts, self.observations.get(place), watched.rollout, now, self.timings)
                if found != watched.rollout:
                    changed.append(RolloutRecord(*place, sha, found))
                watched.rollout = found
                if found.final and (facts.superseded_by or not facts.in_history):
                    del self.watched[place][sha]
        return changed

    def _watch(
        self, project: str, record: CommitRecord, names: set[str], known: Mapping[tuple[str, str, str], RolloutRecord]
    ) -> None:
        """Remember a commit in these environments; one that is met again keeps what is known of it."""
        sha = record.git.sha
        fresh = [name for name in names if sha not in self.watched.get((project, name), {})]
        effects = local_effects(self.ports, project, self.heads[project], record) if fresh else {}
        for name in fresh:
            judged = known.get((project, name, sha))
            landed_at = record.git.committed_at if known else self.clock()
            one = Watched(record, effects[name], landed_at, judged.rollout if judged else None)
            self.watched.setdefault((project, name), {})[sha] = one

    def _watch_beside(self, project: str, sha: str) -> None:
        """Remember a commit that the history does not hold any more, by a merge that put it beside the line perhaps:
        whoever follows it is to be told, though nobody looked at it in time.
        """
        with suppress(MissingCommit):
            record = self.ports.history.find(project, sha, [sha])[sha]
            for name in record.environments:
                one = Watched(record, LocalEffect(), self.clock())
                self.watched.setdefault((project, name), {}).setdefault(sha, one)

    def _facts(
        self,
        place: Place,
        watched: Watched,
        newest: Mapping[Place, CommitRecord],
        numbers: "_Numbers",
        *,
        in_history: bool,
    ) -> CommitFacts:
        record, environment = watched.record, place[1]
        observation = self.observations.get(place)
        identity = newest.get((environment, "+"))
        facts = CommitFacts(
            sha=record.git.sha,
            in_history=in_history,
            landed_at=watched.landed_at,
            services=watched.effect.services,
            superseded_by=_superseded_by(watched, environment, newest),
            # What a merge brought has the identity that it had before, see convergence.
            identity=identity.git.sha if identity and len(identity.git.parents) < 2 else None,  # noqa: PLR2004
            refreshed_at=watched.refreshed_at,
            compared_at=(observation.compared_at or observation.observed_at) if observation else None,
            covered=numbers.observed.get(place, 0) >= record.number,
            in_operation=numbers.operated.get(place, 0) >= record.number,
            steady_since=watched.steady_since,
            images=watched.effect.images,
        )
        if observation is None:
            return facts
        now_seen = outlook(facts, observation)
        if now_seen != watched.outlook:
            watched.outlook, watched.steady_since = now_seen, self.clock()
        return replace(facts, steady_since=watched.steady_since)

    def _numbers(self, project: str, places: Iterable[Place]) -> "_Numbers":
        seen = {place: self.observations[place] for place in places if place in self.observations}
        observed = {place: one.revision for place, one in seen.items() if one.revision}
        operated = {place: one.operation.revision for place, one in seen.items() if one.operation}
        revisions = sorted({revision for revision in (*observed.values(), *operated.values()) if revision})
        found = self.ports.history.find(project, self.heads[project], revisions)
        return _Numbers(
            {place: found[revision].number for place, revision in observed.items() if revision in found},
            {place: found[revision].number for place, revision in operated.items() if revision and revision in found},
        )


@dataclass(frozen=True)
class _Numbers:
    """How far in the history each place was observed, and its last operation went; absent for what is no commit of it:
    the name of a branch, for example.
    """

    observed: Mapping[Place, int]
    operated: Mapping[Place, int]


def _superseded_by(watched: Watched, environment: str, newest: Mapping[Place, CommitRecord]) -> str | None:
    """A newer commit that changed all the services of this one here. One that touches no service has the health of its
    environment: once it is well, what comes of that is the story of the newest commit alone.
    """
    if not watched.effect.services:
        last = newest.get((environment, ""))
        over = watched.rollout is not None and watched.rollout.phase in _WELL
        return last.git.sha if over and last is not None and last.number > watched.record.number else None
    latest = [newest.get((environment, service)) for service in watched.effect.services]
    if any(other is None or other.number <= watched.record.number for other in latest):
        return None
    return next(other.git.sha for other in latest if other is not None)
