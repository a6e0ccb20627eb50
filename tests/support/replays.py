"""The observer's judgement over a recording of Argo CD's stream: commits as they were, frames as the network lets them
through, a clock that the frames set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from adapters.argocd_newest import Newest
from adapters.argocd_parse import Change, Found
from adapters.records import Gone, RolloutRecord
from gitops.commits import CommitKind, CommitRecord, GitCommit, Image, ImageChange, Person, Signature, SignatureState
from gitops.rollouts import Observation, Rollout
from gitops.tree import Files
from jobs.tracking import Tracker

if TYPE_CHECKING:
    from adapters.wiring import Ports

ANN = Person("Ann", "ann@example.org")
SETTLING_SECONDS = 60
Frame = tuple[Change, Found]
Verdicts = dict[tuple[str, str], Rollout]


@dataclass(frozen=True)
class Deed:
    """A commit of the history: its SHA, the environments it touched, and the image that it gave api there, if any."""

    sha: str
    environments: tuple[str, ...]
    image: Image | None = None

    def record(self, number: int) -> CommitRecord:
        at = datetime(2026, 11, 23, 2, tzinfo=UTC)
        signature = Signature(SignatureState.VALID)
        git = GitCommit(self.sha, (), "deploy", ANN, ANN, at, at, signature)
        images = tuple(ImageChange(name, "api", None, self.image) for name in self.environments if self.image)
        services = ("api",) if self.image else ()
        return CommitRecord(number, git, CommitKind.DEPLOY, self.environments, services, images, None)


@dataclass
class History:
    """A twin of ports.History over deeds, oldest first."""

    deeds: Sequence[Deed]

    def commits(self, *_: object) -> tuple[Sequence[CommitRecord], bool]:
        return [], False

    def find(self, _project: str, head: str, revisions: Sequence[str]) -> Mapping[str, CommitRecord]:
        there = self._until(head)
        return {revision: there[revision] for revision in revisions if revision in there}

    def newest(self, _project: str, head: str) -> Mapping[tuple[str, str], CommitRecord]:
        found: dict[tuple[str, str], CommitRecord] = {}
        for record in self._until(head).values():
            for name in record.environments:
                found[name, ""] = record
                found.setdefault((name, "+"), record)
                found.update({(name, service): record for service in record.services})
        return found

    def touched(self, _project: str, head: str, sha: str) -> Sequence[tuple[str, str]]:
        record = self._until(head)[sha]
        return [(name, service) for name in record.environments for service in record.services]

    def snapshot(self, _project: str, _sha: str) -> Files:
        values = b"lucity-app:\n  services:\n    api:\n      image: {repository: registry.local/api, tag: any}\n"
        names = {name for deed in self.deeds for name in deed.environments}
        return Files({"base/values.yaml": values, **{f"environments/{name}/values.yaml": b"{}\n" for name in names}})

    def _until(self, head: str) -> dict[str, CommitRecord]:
        last = next(number for number, deed in enumerate(self.deeds, 1) if deed.sha == head)
        return {deed.sha: deed.record(number) for number, deed in enumerate(self.deeds[:last], 1)}


@dataclass
class Cluster:
    """What Argo CD holds while it sends its frames: the newest of each Application."""

    there: dict[str, Found] = field(default_factory=dict)

    def hold(self, frame: Frame) -> None:
        change, found = frame
        if change is Change.PUT:
            self.there[found.uid] = found
        else:
            self.there.pop(found.uid, None)


class Replay:
    """An observer that met `known` before, and learns of `landed` just before the first frame after the listing."""

    def __init__(self, known: Sequence[Deed], landed: Deed, at: datetime) -> None:
        history = History([*known, landed])
        self.now = at
        self.landed = landed
        self.newest = Newest()
        self.verdicts: Verdicts = {}
        self.said: list[tuple[str, str, Rollout]] = []
        self.gone: list[Gone] = []
        self.mattered: list[Observation] = []
        statuses = SimpleNamespace(rollouts=lambda _keys: {})
        ports = cast("Ports", SimpleNamespace(history=history, repositories=history, statuses=statuses))
        self.tracker = Tracker(ports, clock=lambda: self.now)
        self.tracker.landed("myapp", landed.sha, [landed.sha])
        self.tracker.stale("myapp")

    def frame(self, frame: Frame) -> None:
        """A frame of the stream arrives, not before the times that it tells."""
        self.now = max([self.now, *_times(frame[1].observation)])
        self._take(self.newest.told(*frame))

    def listing(self, cluster: Cluster, *, connected: bool = False) -> None:
        """A list arrives, on a new connection or in between."""
        if connected:
            self.newest.begin()
            told: Sequence[Found | Gone] = self.newest.listed(list(cluster.there.values()))
        else:
            told = [self.newest.read(found) for found in cluster.there.values()]
        for one in told:
            self._take(one)

    def wait(self, seconds: float) -> None:
        """Time goes by; the observer looks at what is open every second."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now = min(end, self.now + timedelta(seconds=1))
            self.judge()

    def judge(self) -> None:
        records: Sequence[RolloutRecord] = self.tracker.judge("myapp")
        for record in records:
            self.verdicts[record.environment, record.commit] = record.rollout
            self.said.append((record.environment, record.commit, record.rollout))

    def of(self, environment: str, sha: str | None = None) -> Rollout:
        """The last verdict on a commit."""
        return self.verdicts[environment, sha or self.landed.sha]

    def _take(self, told: Found | Gone | None) -> None:
        match told:
            case None:
                return
            case Gone():
                self.gone.append(told)
                self.tracker.lost((told.project, told.environment))
            case Found(observation=observation):
                if self.tracker.observed(observation):
                    self.mattered.append(observation)
        self.judge()


def _times(observation: Observation) -> list[datetime]:
    operation: Any = observation.operation
    times = [observation.compared_at, *(condition.since for condition in observation.conditions)]
    times += [operation.started_at, operation.finished_at] if operation else []
    return [time for time in times if time is not None]
