"""The way of a change through a worker: claim → build → seal → push → record → event.

Correctness rests on Git's compare-and-swap, the seal and the claim id; a worker may be killed between any two lines.
"""

import random
import time
from collections.abc import Sequence

import structlog

from adapters.ports import StaleClaim, Unreachable
from adapters.records import Claim, ClaimMode, JobRecord, PushResult, PushState
from adapters.wiring import Ports
from gitops.changes import JobKind
from gitops.problems import JobFailure, NotFound, Refused
from jobs import heads, outcomes, syncs
from jobs.batch import Batch, build
from jobs.heartbeats import beating
from jobs.looking import landed, look

_log = structlog.get_logger()


def carry_out(ports: Ports, lane: str, owner: str) -> bool:
    """Carry out what one queue holds, some rounds of it; whether more can be done now (then ring and yield)."""
    for _ in range(ports.settings.claim_rounds):
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
        if claim.mode is ClaimMode.LOOK:
            return look(ports, claim, claim.jobs)
        if claim.jobs[0].kind is JobKind.SYNC:
            return syncs.carry_out(ports, claim)
        return _land(ports, claim, claim.jobs)
    except Unreachable as outage:
        if outage.component == "redis":
            raise
        _log.warning("outage", lane=claim.project, component=outage.component, message=str(outage))
        ports.claims.record(claim, outcomes.postponed(ports, claim.jobs, outage))
        return False


def _land(ports: Ports, claim: Claim, jobs: Sequence[JobRecord]) -> bool:
    """Bring these jobs to an outcome by as few pushes as the host allows."""
    try:
        head = _start(ports, claim.project, jobs)
    except Refused as refusal:
        ports.claims.record(claim, [outcomes.failed(job, refusal.problem) for job in jobs])
        return True
    jobs = _without_landed(ports, claim, [job for job in jobs if job.attempts > 1], jobs, None, head)
    for attempt in range(ports.settings.push_tries):
        if not jobs:
            return True
        batch = build(ports, jobs, head)
        if not batch.made:
            fresh = _fetch(ports, claim.project)
            if fresh == head:
                return _record(ports, claim, batch)
            head, jobs = fresh, _without_landed(ports, claim, jobs, jobs, head, fresh)
            continue
        ports.failpoints.reach("before_seal")
        seal = ports.claims.seal(claim, [made.job.id for made in batch.made])
        if not seal.sealed:
            jobs = [job for job in jobs if job.id not in seal.dropped]
            continue
        pushed = _push(ports, claim.project, batch)
        match pushed.state:
            case PushState.ACCEPTED:
                return _record(ports, claim, batch)
            case PushState.MOVED:
                time.sleep(random.uniform(0, min(2.0, 0.02 * 2**attempt)))  # noqa: S311 - jitter, not a secret
                fresh = _fetch(ports, claim.project)
                head, jobs = fresh, _without_landed(ports, claim, jobs, jobs, head, fresh)
            case PushState.AMBIGUOUS:
                return look(ports, claim, [made.job for made in batch.made], just_sealed=True)
            case PushState.REFUSED if len(batch.made) > 1:
                return _land_halves(ports, claim, jobs, batch)
            case PushState.REFUSED:
                offender = batch.made[0].job
                problem = JobFailure(f"The Git host refused the commit: {pushed.message}", "commit")
                ports.claims.record(claim, [outcomes.failed(offender, problem)])
                jobs = [job for job in jobs if job.id != offender.id]
            case PushState.DENIED:
                denied = pushed.problem or JobFailure(f"The Git host denied the push: {pushed.message}", "commit")
                ports.claims.record(claim, [outcomes.failed(made.job, denied) for made in batch.made])
                return True
    ports.claims.record(claim, outcomes.returned(jobs, "others keep pushing to this repository; trying again"))
    return False


def _land_halves(ports: Ports, claim: Claim, jobs: Sequence[JobRecord], batch: Batch) -> bool:
    """A hook refused the whole push: find the offender by halving, so that only it fails."""
    middle = batch.made[len(batch.made) // 2].job.number
    first = _land(ports, claim, [job for job in jobs if job.number < middle])
    second = _land(ports, claim, [job for job in jobs if job.number >= middle])
    return first and second


def _start(ports: Ports, project: str, jobs: Sequence[JobRecord]) -> str:
    """The head to build on: the mirror's, unless something says that it moved. '' for a project to be created."""
    mirrored = ports.repositories.head(project)
    if mirrored and ports.events.heads([project]).get(project) == mirrored:
        return mirrored
    creating = jobs[0].kind is JobKind.PROJECT_CREATE
    try:
        head = _fetch(ports, project)
    except Refused as refusal:
        if creating and isinstance(refusal.problem, NotFound):
            return ""
        raise
    if not head and not creating:
        raise Refused(NotFound(f"There is no project {project} (any more).", "project", project))
    return head


def _fetch(ports: Ports, project: str) -> str:
    return ports.repositories.fetch(project) or ""


def _without_landed(
    ports: Ports,
    claim: Claim,
    looked_for: Sequence[JobRecord],
    jobs: Sequence[JobRecord],
    old: str | None,
    new: str,
) -> Sequence[JobRecord]:
    """Record those that turn out to have landed already; the others."""
    found = landed(ports, claim.project, looked_for, old, new)
    if not found:
        return jobs
    heads.notice(ports, claim.project)
    ports.claims.record(claim, found)
    done = {outcome.job_id for outcome in found}
    return [job for job in jobs if job.id not in done]


def _push(ports: Ports, project: str, batch: Batch) -> PushResult:
    if not batch.head:
        ports.githost.create(project)
    ports.failpoints.reach("before_push")
    started = time.monotonic()
    pushed = ports.repositories.push(project, batch.head, batch.tip)
    _log.info("pushed", project=project, state=pushed.state, commits=len(batch.made), seconds=time.monotonic() - started)
    ports.failpoints.reach("after_push")
    return pushed


def _record(ports: Ports, claim: Claim, batch: Batch) -> bool:
    if batch.made:
        commits = [(made.sha, made.environments) for made in batch.made]
        heads.advance(ports, claim.project, batch.head, batch.tip, commits)
    ports.claims.record(claim, outcomes.of(batch))
    ports.failpoints.reach("after_record")
    return True
