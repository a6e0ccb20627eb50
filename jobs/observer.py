"""The observer: one of many leads; it sees what moves on the Git host and what the delivery says, makes the delivery
agree with Git, and writes statuses and verdicts for everybody else to read.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from adapters.ports import StaleLead, Unreachable
from adapters.records import Event, EventKind, Gone, JobFilter, JobRecord, JobState
from adapters.wiring import Ports
from gitops import layout, repository
from gitops.rollouts import Observation
from jobs import heads
from jobs.convergence import Standing, converge, settle_archived, tell_of_loss
from jobs.expiry import admit_expired
from jobs.guarding import guarded
from jobs.listening import listen
from jobs.noticing import Noticing
from jobs.telling import Place, Teller
from jobs.tracking import Tracker

_log = structlog.get_logger()
_WAIT_SECONDS = 0.1
_GATHER_SECONDS = 0.02
_RELIST_SECONDS = 60.0
_EXPIRY_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_REREAD_SECONDS = 10.0
_MOST_WAITING = 5000
"""Jobs of all projects that wait for delivery and cluster, as many as one round moves on."""


def observe(ports: Ports, stopped: threading.Event) -> None:
    """Lead whenever nobody else does, until told to stop."""
    owner = f"{socket.gethostname()}:{os.getpid()}"
    while not stopped.is_set():
        try:
            if ports.leases.acquire("observer", owner, ports.settings.lease_seconds):
                Leader(ports, owner, stopped).lead()
        except StaleLead as stale:
            _log.warning("the lead is over", message=str(stale))
        except Unreachable as outage:
            _log.warning("observer interrupted", component=outage.component, message=str(outage))
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the observer
            _log.exception("observer failed unexpectedly")
        stopped.wait(_RETRY_SECONDS)
    with suppress(Unreachable):  # the lease ends by itself
        ports.leases.release("observer", owner)


@dataclass
class Leader:
    """One time of leading, with its own memory; it ends when the lease cannot be kept."""

    ports: Ports
    owner: str
    stopped: threading.Event
    stuck_seconds: float = 60.0
    """How long one step for one project may take before somebody else had better lead."""
    said: "queue.SimpleQueue[Observation | Gone]" = field(default_factory=queue.SimpleQueue)
    dirty: set[str] = field(default_factory=set)
    """Projects to converge, to refresh and to judge."""
    heard: set[str] = field(default_factory=set)
    """Projects to judge only."""
    going: set[str] = field(default_factory=set)
    """Projects with an environment on its way out, whether or not a job waits for it."""
    due: dict[str, float] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    heard_at: float | None = None
    """When the delivery last gave a sign of life."""

    def __post_init__(self) -> None:
        self.tracker = Tracker(self.ports)
        self.teller = Teller(self.ports.statuses, self.owner)
        self.noticing = Noticing(self.ports, self.over)
        self.round = time.monotonic()

    def lead(self) -> None:
        """Until stopped, or somebody else leads."""
        threading.Thread(target=self._keep, daemon=True, name="observer lease").start()
        try:
            position = self.ports.events.position()
            self._take_up()
            threading.Thread(target=self.noticing.go_on, daemon=True, name="git host").start()
            heard = (self._watch, self._hear, self.over)
            threading.Thread(target=listen, args=heard, daemon=True, name="delivery watch").start()
            while not self.stopped.is_set() and not self.over.is_set():
                self.round = time.monotonic()
                if self._is_due("beat", _RETRY_SECONDS):
                    self.ports.statuses.beat(self.heard_at and self.round - self.heard_at, git_away=self.noticing.away)
                self.ports.events.wait(position, _WAIT_SECONDS)
                self.over.wait(_GATHER_SECONDS)  # what comes together is one round
                page = self.ports.events.after(position)
                position = page.position
                if page.gap:
                    self._take_up()
                self._read(page.events)
                self._look_around()
                self._work()
        finally:
            self.over.set()

    def _read(self, events: Sequence[Event]) -> None:
        landed: dict[str, list[str]] = {}
        for event in events:
            if event.kind in {EventKind.COMMIT, EventKind.HISTORY_REWRITTEN}:
                landed.setdefault(event.project, []).extend([event.commit] if event.commit else [])
            elif event.job is not None and event.job.state is JobState.WAITING:
                self.dirty.add(event.project)
        for project, shas in landed.items():
            self._guarded(project, partial(self._land, shas))
            self.dirty.add(project)

    def _keep(self) -> None:
        """Keep the lease while the rounds go on, step by step, however long; losing it ends the leading. One that may
        have expired is not taken again: somebody else may have led in between.
        """
        lease = self.ports.settings.lease_seconds
        until = self.round + lease
        while not self.over.wait(lease / 3):
            now = time.monotonic()
            alive = now - self.round < self.stuck_seconds
            try:
                kept = alive and now < until and self.ports.leases.acquire("observer", self.owner, lease)
            except Unreachable:
                kept = False
            until = now + lease
            if not kept:
                _log.warning("the lead is over", stuck=not alive)
                self.over.set()

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if self.due.get(what, 0.0) > now:
            return False
        self.due[what] = now + seconds
        return True

    def _take_up(self) -> None:
        """Everything from the beginning: a new leader, or a log that lost events (and Redis with it, perhaps)."""
        self.tracker, self.teller = Tracker(self.ports), Teller(self.ports.statuses, self.owner)
        for project in self.ports.githost.projects():
            self._guarded(project, self._start)
        self.dirty.update(self.tracker.heads)
        self.due.pop("relist", None)

    def _start(self, project: str) -> None:
        head = heads.notice(self.ports, project)
        if head:
            self.tracker.start(project, head)

    def _land(self, shas: Sequence[str], project: str) -> None:
        head = self.ports.events.heads([project]).get(project)
        if head is None:
            return
        if not heads.holds(self.ports, project, head):
            self.ports.repositories.fetch(project)
        self.tracker.landed(project, head, shas)

    def _look_around(self) -> None:
        """What nobody tells us: new projects, waiting jobs, ends of environments; and all of it again at times."""
        if self._is_due("heads", self.ports.settings.poll_seconds):
            self._meet()
        if self._is_due("waiting", self.ports.settings.poll_seconds):
            self.dirty.update(job.project for job in self._waiting())
            self.dirty.update(self.going)
        if self._is_due("relist", _RELIST_SECONDS):
            self._guarded("", lambda _: self._relist())
            self.dirty.update(self.tracker.heads)
        elif self._is_due("reread", _REREAD_SECONDS):
            for project in self.tracker.open_projects():
                self._guarded(project, self._reread)
        if self._is_due("expiry", _EXPIRY_SECONDS):
            for project in list(self.tracker.heads):
                self._guarded(project, lambda name: admit_expired(self.ports, name, self.tracker.clock()))

    def _meet(self) -> None:
        """Take up projects that are new."""
        for project in self.noticing.there - self.tracker.heads.keys():
            self._guarded(project, self._start)
            self.dirty.add(project)

    def _relist(self) -> None:
        """Everything that the delivery knows, for the stream may lose something."""
        for place in set(self.tracker.observations) - self._reread(None):
            self._lost(place)

    def _reread(self, project: str | None) -> set[Place]:
        """What the delivery knows of one project, or of all; where it knows something."""
        since = self.teller.count
        listed = self.ports.delivery.statuses(project)
        self.heard_at = time.monotonic()
        for observation in listed:
            self._take_in(observation)
            self._tell(observation, since)
        return {(one.project, one.environment) for one in listed}

    def _waiting(self) -> Sequence[JobRecord]:
        return self.ports.ledger.page(JobFilter(states=(JobState.WAITING,)), _MOST_WAITING, None).jobs

    def _work(self) -> None:
        """Converge and refresh what is dirty, then judge it and what still waits for a verdict."""
        self._drain()
        dirty, self.dirty = self.dirty, set()
        waiting = self._waiting() if dirty else ()
        for project in dirty:
            self._guarded(project, lambda name: self._agree(name, waiting))
        self._drain()
        unsettled = self.tracker.open_projects() if self._is_due("clock", _RETRY_SECONDS) else set()
        for project in unsettled:
            self._guarded(project, self._refresh)
        heard, self.heard = self.heard, set()
        for project in dirty | heard | unsettled:
            self._guarded(project, self._judge)

    def _agree(self, project: str, waiting: Sequence[JobRecord]) -> None:
        """Converge on the host's head, then have the delivery look at what it has not seen yet."""
        jobs = [job for job in waiting if job.project == project]
        head = self.ports.githost.heads([project]).get(project)
        if head is None:
            self._miss(project, jobs)
            return
        if not heads.holds(self.ports, project, head):
            self.ports.repositories.fetch(project)
        tree = self.ports.repositories.snapshot(project, head)
        if repository.read_settings(tree)[0].deleting:
            self.teller.verdicts(project, head, self.tracker.give_up(project))
        self.going.discard(project)
        standing = converge(self.ports, project, head, jobs)
        if standing is Standing.LEAVING:
            self.going.add(project)
        if standing is Standing.ENDED:
            self.tracker.drop(project)
        elif project in self.tracker.heads:
            self._follow(project, head, tree.folder(layout.ENVIRONMENTS))

    def _miss(self, project: str, waiting: Sequence[JobRecord]) -> None:
        if project not in self.ports.githost.projects():
            settle_archived(self.ports, project, waiting)
            if self.tracker.drop(project):
                tell_of_loss(self.ports, project)

    def _follow(self, project: str, head: str, environments: Iterable[str]) -> None:
        self.teller.verdicts(project, head, self.tracker.forget(project, environments))
        for absent in self.tracker.absences(project, environments):
            self._tell(absent, since=0)
        self._refresh(project)

    def _refresh(self, project: str) -> None:
        """Have the delivery look at exactly what a push touched; asked again at growing pauses until it has."""
        if project in self.tracker.heads and (stale := self.tracker.stale(project)):
            self.ports.delivery.refresh(project, stale, self.tracker.heads[project])

    def _judge(self, project: str) -> None:
        if project in self.tracker.heads and (rollouts := self.tracker.judge(project)):
            self.teller.verdicts(project, self.tracker.heads[project], rollouts)

    def _drain(self) -> None:
        while not self.said.empty():
            match self.said.get():
                case Gone(project, environment):
                    self._lost((project, environment))
                    self.dirty.add(project)
                case Observation() as observation:
                    self._take_in(observation)

    def _guarded(self, project: str, work: Callable[[str], object]) -> None:
        self.round = time.monotonic()
        guarded("observer", project, work)

    def _take_in(self, observation: Observation) -> None:
        self.heard.add(observation.project)
        self.tracker.observed(observation)

    def _lost(self, place: Place) -> None:
        self.tracker.lost(place)
        self.teller.lost(place)

    def _tell(self, observation: Observation, since: int | None = None) -> None:
        self.teller.status(observation, self.tracker.heads.get(observation.project, ""), since)

    def _watch(self) -> Iterator[Observation | Gone | None]:
        for said in self.ports.delivery.watch():
            self.heard_at = time.monotonic()
            yield said

    def _hear(self, said: Observation | Gone) -> None:
        """Readers are told without waiting for what else a round does; judging is left to the round."""
        self.said.put(said)
        if isinstance(said, Observation):
            self._tell(said)
