"""The ports that live in Redis, on a server of the test's own, and jobs to put into them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count

from redis import Redis

from adapters.claims import RedisClaims
from adapters.events import RedisEvents
from adapters.leases import RedisLeases
from adapters.ledger import RedisLedger
from adapters.pull_requests import RedisRequests
from adapters.records import Claim, Event, EventKind, JobRecord, JobState, Outcome
from adapters.redis_client import connect
from adapters.settings import Settings
from adapters.statuses import RedisStatuses
from gitops.changes import Actor, JobKind
from gitops.problems import Problem, Refused

ACTOR = Actor("tok_1", "Ada Lovelace", "ada@example.com")
DEADLINE_SECONDS = 20
_numbers = count(1)


@dataclass(frozen=True)
class RedisPorts:
    """Everything that one process would have."""

    client: Redis
    settings: Settings
    ledger: RedisLedger
    claims: RedisClaims
    events: RedisEvents
    statuses: RedisStatuses
    leases: RedisLeases
    requests: RedisRequests

    def job(self, job: JobRecord) -> JobRecord:
        """The job as it is now."""
        return self.ledger.get([job.id])[job.id]

    def states(self, *jobs: JobRecord) -> list[JobState]:
        """The states of jobs as they are now."""
        return [self.job(job).state for job in jobs]

    def admit(self, *jobs: JobRecord) -> list[JobRecord]:
        """Admit jobs in this order."""
        return [self.ledger.admit(job) for job in jobs]

    def claim(self, lane: str = "shop", limit: int = 100, owner: str = "worker") -> Claim:
        """A claim that must be had."""
        claim = self.claims.claim(lane, owner, limit)
        assert claim is not None, f"there is nothing to claim in {lane}"
        return claim

    def finish(self, claim: Claim, state: JobState = JobState.SUCCEEDED) -> None:
        """Record one state for all jobs of a claim, and release it."""
        self.claims.record(claim, [Outcome(job.id, state) for job in claim.jobs])
        self.claims.release(claim)

    def land(self, job: JobRecord) -> None:
        """Claim until this job is WAITING; whatever else is claimed returns."""
        claim = self.claim()
        self.claims.record(claim, [Outcome(job.id, JobState.WAITING, commit="c0ffee", head="c0ffee")])
        self.claims.release(claim)

    def expire(self, claim: Claim) -> None:
        """Wait until a claim is over."""
        until(
            lambda: not self.client.zscore("lucity:claims", claim.project) or self._is_over(claim), "an expired claim"
        )

    def job_states_told(self, job: JobRecord, since: str) -> list[JobState]:
        """The states that the log tells of a job after a cursor."""
        return [event.job.state for event in self.told(since) if event.job is not None and event.job.id == job.id]

    def told(self, since: str, kind: EventKind | None = None) -> Sequence[Event]:
        """The events after a cursor."""
        page = self.events.after(since, 10_000)
        assert not page.gap
        return [event for event in page.events if kind is None or event.kind is kind]

    def _is_over(self, claim: Claim) -> bool:
        seconds, micros = self.client.time()
        expires = self.client.zscore("lucity:claims", claim.project)
        return float(str(expires)) <= (int(seconds) * 1000 + int(micros) // 1000)


def redis_ports(url: str, hard_limit_seconds: float | None = None, **settings: float) -> RedisPorts:
    """All ports on this Redis, with a short lease unless settings say otherwise."""
    client = connect(url)
    chosen = Settings.model_validate({"lease_seconds": 30, **settings})
    return RedisPorts(
        client,
        chosen,
        RedisLedger(client, chosen),
        RedisClaims(client, chosen, hard_limit_seconds),
        RedisEvents(client, chosen),
        RedisStatuses(client, chosen),
        RedisLeases(client, chosen),
        RedisRequests(client, chosen),
    )


def ids(*jobs: JobRecord) -> list[str]:
    """Their ids, in this order."""
    return [job.id for job in jobs]


def lose(ports: RedisPorts, limit: int = 100) -> Claim:
    """A claim whose owner dies."""
    claim = ports.claim(limit=limit)
    ports.expire(claim)
    return claim


def a_job(kind: JobKind = JobKind.DEPLOY, *environments: str, project: str = "shop", **others: object) -> JobRecord:
    """A job that was never admitted; every one has an id of its own."""
    number = next(_numbers)
    job = JobRecord(
        id=f"job_{number:026d}",
        kind=kind,
        project=project,
        environments=environments,
        services=("api",),
        summary=f"{kind.lower()} {number}",
        actor=ACTOR,
        change='{"tag":"a1b2c3d"}',
        fingerprint=f"{number:064x}",
        created_at=datetime.now(UTC),
    )
    return replace(job, **others)  # type: ignore[arg-type]


def until(holds: Callable[[], object], what: str) -> None:
    """Wait for a condition; says what it waited for when it does not come."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for {what}"
        time.sleep(0.01)


def refusal(action: Callable[[], object]) -> Problem:
    """The problem with which an action is refused."""
    try:
        action()
    except Refused as refused:
        return refused.problem
    raise AssertionError("it was not refused")
