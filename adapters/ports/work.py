"""What stands in Redis: jobs and their queues, events, statuses, leases, and the bell that rings workers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from adapters.records import (
    Claim,
    EventPage,
    JobFilter,
    JobPage,
    JobRecord,
    LogPage,
    Outcome,
    RolloutRecord,
    Seal,
    Signs,
)
from gitops.rollouts import Observation


class Ledger(Protocol):
    """Job records. Every write and its event are one atomic step. Raises Unreachable('redis')."""

    def admit(self, job: JobRecord, namespaces: Sequence[tuple[str, str]] = ()) -> JobRecord:
        """Idempotency → record → queue → event, in one step; the record with its number. The same id with the same
        fingerprint answers the present record. `namespaces` (name, environment) are reserved for this project.
        Raises Refused: Conflict KEY_REUSED, AlreadyExists (what=namespace), RateLimited (too many jobs or bytes).
        """
        ...

    def get(self, ids: Sequence[str]) -> Mapping[str, JobRecord]:
        """Records by id, one round trip; absent when there is none."""
        ...

    def unfinished(self, projects: Sequence[str]) -> Mapping[str, Sequence[JobRecord]]:
        """QUEUED, RUNNING and WAITING jobs of each project in admission order, one round trip."""
        ...

    def page(self, where: JobFilter, first: int, after: str | None) -> JobPage:
        """Newest first; `after` is a job id. Raises Refused(InvalidInput) for a cursor of no job."""
        ...

    def cancel(self, job_id: str) -> JobRecord:
        """QUEUED: CANCELED at once. RUNNING, not sealed: asked for, decided by the seal. WAITING: its commit landed
        and is not undone, so Conflict PUSHING. Raises Refused: NotFound, Conflict PUSHING or JOB_ENDED.
        """
        ...

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Move WAITING jobs on (their steps, or their end). Jobs no longer WAITING are left alone."""
        ...


class Claims(Protocol):
    """The queue of each project: marked, never popped."""

    def claim(self, project: str, owner: str, limit: int) -> Claim | None:
        """The next jobs in order, now RUNNING, attempts + 1; None when there is nothing to do or another claim lives.
        Unconfirmed (sealed) jobs come first, alone, in mode LOOK. A job whose claim expired before comes alone.
        Jobs of an environment that a WAITING job holds back are passed over, and what queues behind them for the
        same environment too.
        """
        ...

    def heartbeat(self, claim: Claim) -> None:
        """Extend the claim, up to its hard limit. Raises StaleClaim."""
        ...

    def seal(self, claim: Claim, job_ids: Sequence[str]) -> Seal:
        """The point of no return for exactly these jobs. Raises StaleClaim."""
        ...

    def record(self, claim: Claim, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes with their events, all in one step. Raises StaleClaim (then nothing was written)."""
        ...

    def release(self, claim: Claim) -> bool:
        """End the claim; jobs without an outcome return to their place (sealed ones stay sealed). Whether more can be
        claimed now.
        """
        ...

    def sweep(self, push_timeout_seconds: float) -> Sequence[str]:
        """Return the jobs of expired claims to their queues (FAILED at the third), trim by age and number; the
        projects whose bell should be rung now.
        """
        ...


class Events(Protocol):
    """The event log and what goes with it. Each write is one atomic step with its events."""

    def position(self) -> str:
        """The cursor of now."""
        ...

    def after(self, cursor: str, count: int = 500) -> EventPage:
        """Events after a cursor. A malformed cursor raises Refused(InvalidInput)."""
        ...

    def wait(self, cursor: str, seconds: float) -> None:
        """Return when there is an event after the cursor, or when the time is over."""
        ...

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        """The head of each project as last advanced."""
        ...

    def advance_head(
        self,
        project: str,
        old: str | None,
        new: str,
        commits: Sequence[tuple[str, Sequence[str]]],
        *,
        rewritten: bool = False,
    ) -> bool:
        """Move the head from `old` to `new` and emit one COMMIT event for each (sha, environments), oldest first. `old`
        None: first sight, no events; '': the repository was empty, so nobody has seen it. False: the head is not
        `old`; nothing was done.
        """
        ...

    def revoked(self, token_id: str) -> None:
        """Say that a token is no longer valid, so that its streams end."""
        ...

    def append_log(self, job_id: str, lines: Sequence[tuple[str, str]]) -> None:
        """Add (stream, text) lines to a job's log."""
        ...

    def log(self, job_id: str, first: int, after: str | None) -> LogPage:
        """A page of a job's log."""
        ...


class Statuses(Protocol):
    """Last observations and verdicts, with their events."""

    def observe(
        self,
        observations: Sequence[Observation],
        rollouts: Sequence[RolloutRecord],
        *,
        heads: Mapping[str, str],
        leader: str | None = None,
    ) -> None:
        """Write, and emit one STATUS or ROLLOUT event for each, in one step. Raises StaleLead, and writes nothing, when
        `leader` does not hold the lease `observer`.
        """
        ...

    def status(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Observation]:
        """(project, environment) → its last observation, one round trip."""
        ...

    def rollouts(self, keys: Sequence[tuple[str, str, str]]) -> Mapping[tuple[str, str, str], RolloutRecord]:
        """(project, environment, commit) → its last verdict, one round trip."""
        ...

    def signs(self) -> Signs:
        """When the observer last worked, when it last heard of the delivery, and whether the Git host answers it."""
        ...

    def beat(self, delivery_silent_seconds: float | None, *, git_away: bool = False) -> None:
        """Say that the observer works, for how long it heard nothing of the delivery (None: it never did), and whether
        the Git host does not answer it.
        """
        ...

    def forget(self, project: str, environments: Sequence[str] | None = None) -> None:
        """Remove what is kept for environments that are gone (None: all of the project, its head and reservations
        too).
        """
        ...


class Requests(Protocol):
    """What forges said of requests to merge, so that deliveries may come late. Raises Unreachable('redis')."""

    def hear(self, project: str, number: int, updated_at: datetime, *, is_open: bool) -> bool:
        """Remember this of a request unless something newer was heard; whether it counts. Again counts again."""
        ...

    def closed(self, project: str) -> Collection[int]:
        """The requests of which it was heard last that they are closed."""
        ...


class Followed(Protocol):
    """Which heads of followed branches were taken up. Raises Unreachable('redis')."""

    def heads(self, project: str) -> Mapping[tuple[str, str], str]:
        """(service, branch) → the full SHA that was last taken up."""
        ...

    def note(self, project: str, service: str, branch: str, sha: str) -> None:
        """Say that this head is taken up."""
        ...


class Leases(Protocol):
    """Who leads: one holder per name until it expires, by Redis' clock."""

    def acquire(self, name: str, owner: str, seconds: float) -> bool:
        """Take or extend the lease."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Give it up if it is ours."""
        ...

    def drop(self, name: str) -> None:
        """End it, whoever holds it."""
        ...

    def held(self, name: str) -> bool:
        """Whether anybody holds it now."""
        ...


class Bell(Protocol):
    """Rings workers: ids only, may be lost or doubled without harm."""

    def ring(self, projects: Iterable[str]) -> None:
        """Ask some worker to look at these queues. Raises Unreachable."""
        ...

    def answered(self, project: str) -> None:
        """A worker is about to look: the next ring counts again."""
        ...
