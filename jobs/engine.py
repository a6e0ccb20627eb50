"""The way of a change through a worker: claim → build → seal → push → record → event.

Correctness rests on Git's compare-and-swap, the seal and the claim id; a worker may be killed between any two lines.
"""

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog

from adapters.job_fields import is_build_lane
from adapters.ports import StaleClaim, Unreachable
from adapters.records import Claim, ClaimMode, JobRecord, JobState, PushResult, PushState
from adapters.wiring import Ports
from gitops.changes import JobKind
from gitops.problems import JobFailure, NotFound, Problem, Refused
from jobs import builds, heads, outcomes, syncs
from jobs.batch import Batch, build
from jobs.digests import Digests
from jobs.heartbeats import beating
from jobs.looking import landed, look

_LONGEST_PAUSE_SECONDS = 10.0
_FRESH_SECONDS = 1.0
_log = structlog.get_logger()


def carry_out(ports: Ports, lane: str, owner: str) -> bool:
    """Carry out what one queue holds, some rounds of it; whether more can be done now (then ring and yield)."""
    for _ in range(ports.settings.claim_rounds):
        if ports.leases.held(f"pause:{lane}"):
            return False
        claim = ports.claims.claim(lane, owner, ports.settings.batch_limit)
        if claim is None:
            return False
        ports.failpoints.reach("after_claim")
        try:
            with beating(ports, claim):
                settled = _work(ports, claim)
            more = ports.claims.release(claim)
        except StaleClaim:
            _log.warning("claim lost", lane=lane, claim=claim.id)
            return True
        if not (settled and more):
            return False
    return True


def _work(ports: Ports, claim: Claim) -> bool:
    """Whether the claim's jobs all came to something; if not, a sweep rings again later."""
    try:
        if is_build_lane(claim.project):
            return builds.carry_out(ports, claim)
        if claim.mode is ClaimMode.LOOK:
            return look(ports, claim, claim.jobs)
        if claim.jobs[0].kind is JobKind.SYNC:
            return syncs.carry_out(ports, claim)
        return _land(ports, claim, claim.jobs, Digests(ports.registry))
    except Unreachable as outage:
        if outage.component == "redis":
            raise
        _log.warning("outage", lane=claim.project, component=outage.component, message=str(outage))
        pause = min(2.0 ** claim.jobs[0].attempts, _LONGEST_PAUSE_SECONDS)
        ports.leases.acquire(f"pause:{claim.project}", claim.id, pause)
        ports.claims.record(claim, outcomes.postponed(ports, _undecided(ports, claim), outage))
        return False


def _undecided(ports: Ports, claim: Claim) -> list[JobRecord]:
    """The claim's jobs as they are now, without those that have an outcome."""
    now = ports.ledger.get([job.id for job in claim.jobs])
    return [job for job in now.values() if job.state is JobState.RUNNING]


def _land(ports: Ports, claim: Claim, jobs: Sequence[JobRecord], digests: Digests) -> bool:
    """Bring these jobs to an outcome by as few pushes as the host allows."""
    try:
        head = _start(ports, claim.project, jobs)
    except Refused as refusal:
        ports.claims.record(claim, [outcomes.failed(job, refusal.problem) for job in jobs])
        return True
    landing = _Landing(ports, claim, jobs, digests, head)
    try:
        landing.drop_landed([job for job in jobs if job.attempts > 1], None)
        for attempt in range(ports.settings.push_tries):
            done = landing.step(attempt)
            if done is not None:
                return done
    except Refused as refusal:
        ports.claims.record(claim, [outcomes.failed(job, refusal.problem) for job in landing.jobs])
        return True
    ports.claims.record(claim, outcomes.returned(landing.jobs, "others keep pushing to this repository; trying again"))
    return False


def _start(ports: Ports, project: str, jobs: Sequence[JobRecord]) -> str:
    """The head to build on: the mirror's, unless something says that it moved. '' for a project to be created."""
    mirrored = ports.repositories.head(project)
    if mirrored and ports.events.heads([project]).get(project) == mirrored:
        return mirrored
    return _fetch(ports, project, jobs)


def _fetch(ports: Ports, project: str, jobs: Sequence[JobRecord]) -> str:
    """The host's head; '' for a project that these jobs are to create. Raises Refused(NotFound) for any other."""
    creating = any(job.kind is JobKind.PROJECT_CREATE for job in jobs)
    try:
        head = ports.repositories.fetch(project) or ""
    except Refused as refusal:
        if creating and isinstance(refusal.problem, NotFound):
            return ""
        raise
    if not head and not creating:
        raise Refused(NotFound(f"There is no project {project} (any more).", "project", project))
    return head


@dataclass
class _Landing:
    """Some claimed jobs on their way to the host; `jobs` are those without an outcome, `head` what they build on."""

    ports: Ports
    claim: Claim
    jobs: Sequence[JobRecord]
    digests: Digests
    head: str

    def step(self, attempt: int) -> bool | None:
        """Build and push once. None: not there yet; else whether all came to something."""
        if not self.jobs:
            return True
        batch = build(self.ports, self.jobs, self.head, self.digests)
        if not batch.made:
            return self._confirm(batch)
        self.ports.failpoints.reach("before_seal")
        if not self._seal(batch):
            return None
        sealed_at = time.time()
        if not batch.head:
            self.ports.githost.create(self.claim.project)
        self.ports.failpoints.reach("before_push")
        # Others look a push's time after the seal: a push must not begin when they may have looked already. By the
        # clock on the wall, which goes on while a computer sleeps.
        if abs(time.time() - sealed_at) > _FRESH_SECONDS and not self._seal(batch):
            return None
        return self._answer(batch, self._push(batch), attempt)

    def drop_landed(self, looked_for: Sequence[JobRecord], old: str | None) -> None:
        """Record those that turn out to have landed already, in the commits after `old` (None: in all of them)."""
        found = landed(self.ports, self.claim.project, looked_for, old, self.head)
        if found:
            heads.notice(self.ports, self.claim.project)
            self.ports.claims.record(self.claim, found)
            self._without([outcome.job_id for outcome in found])

    def _answer(self, batch: Batch, pushed: PushResult, attempt: int) -> bool | None:
        match pushed.state:
            case PushState.ACCEPTED:
                return self._record(batch)
            case PushState.MOVED:
                time.sleep(random.uniform(0, min(2.0, 0.02 * 2**attempt)))  # noqa: S311 - jitter, not a secret
                self._move()
                return None
            case PushState.AMBIGUOUS:
                return look(self.ports, self.claim, [made.job for made in batch.made], just_sealed=True)
            case PushState.REFUSED if len(batch.made) > 1:
                return self._halve(batch)
            case PushState.REFUSED:
                problem = JobFailure(f"The Git host refused the commit: {pushed.message}", "commit")
                self._fail(batch, problem)
                return None
            case PushState.DENIED:
                denied = pushed.problem or JobFailure(f"The Git host denied the push: {pushed.message}", "commit")
                self._fail(batch, denied)
                return None

    def _confirm(self, batch: Batch) -> bool | None:
        """Nothing to push, so nothing confirmed the head: look whether it still is the host's."""
        before = self.head
        self._move()
        return self._record(batch) if self.head == before else None

    def _move(self) -> None:
        before, self.head = self.head, _fetch(self.ports, self.claim.project, self.jobs)
        if self.head != before:
            self.drop_landed(self.jobs, before)

    def _fail(self, batch: Batch, problem: Problem) -> None:
        """What was pushed cannot land; the rest of the batch is judged again without it."""
        pushed = [made.job for made in batch.made]
        self.ports.claims.record(self.claim, [outcomes.failed(job, problem) for job in pushed])
        self._without([job.id for job in pushed])

    def _halve(self, batch: Batch) -> bool:
        """A hook refused the whole push: find the offender by halving, so that only it fails."""
        middle = batch.made[len(batch.made) // 2].job.number
        first = _land(self.ports, self.claim, [job for job in self.jobs if job.number < middle], self.digests)
        second = _land(self.ports, self.claim, [job for job in self.jobs if job.number >= middle], self.digests)
        return first and second

    def _seal(self, batch: Batch) -> bool:
        """Whether these jobs may be pushed; what was cancelled is left out. Raises StaleClaim."""
        seal = self.ports.claims.seal(self.claim, [made.job.id for made in batch.made])
        self._without(seal.dropped)
        return seal.sealed

    def _push(self, batch: Batch) -> PushResult:
        started = time.monotonic()
        pushed = self.ports.repositories.push(self.claim.project, batch.head, batch.tip)
        seconds = time.monotonic() - started
        _log.info(
            "pushed", project=self.claim.project, state=pushed.state, commits=len(batch.made), seconds=round(seconds, 4)
        )
        self.ports.measures.observe("push_seconds", seconds)
        self.ports.measures.observe("batch_size", len(batch.made))
        self.ports.failpoints.reach("after_push")
        return pushed

    def _record(self, batch: Batch) -> bool:
        if batch.made:
            commits = [(made.sha, made.environments) for made in batch.made]
            heads.advance(self.ports, self.claim.project, batch.head, batch.tip, commits)
        self.ports.claims.record(self.claim, outcomes.of(batch))
        self.ports.failpoints.reach("after_record")
        return True

    def _without(self, job_ids: Collection[str]) -> None:
        self.jobs = [job for job in self.jobs if job.id not in job_ids]
