"""What somebody may still do about a job: end it before its push begins, or try it again after it failed."""

import itertools

from adapters.codec import load_change
from adapters.records import JobRecord, JobState
from adapters.wiring import Ports
from gitops.access import CHANGE, authorize
from gitops.changes import Actor
from gitops.problems import Conflict, ConflictCode, NotFound, Refused
from jobs import heads
from jobs.admission import admit, derived_id
from jobs.landed import landed_record


def cancel(ports: Ports, actor: Actor, job_id: str) -> JobRecord:
    """End a job before its push begins. Raises Refused: NotFound, Conflict PUSHING or JOB_ENDED."""
    job = _job(ports, job_id)
    authorize(actor, CHANGE, job.project)
    if job.state.ended:
        raise Refused(Conflict(f"Job {job_id} has already ended: {job.state}.", ConflictCode.JOB_ENDED, job_id=job_id))
    return ports.ledger.cancel(job_id)


def retry(ports: Ports, actor: Actor, job_id: str) -> JobRecord:
    """A new job for the change of one that FAILED or was CANCELED; while it or such a one is unfinished, that one."""
    job = _job(ports, job_id)
    authorize(actor, CHANGE, job.project)
    if not job.state.ended:
        return job
    if job.state not in {JobState.FAILED, JobState.CANCELED}:
        message = f"Job {job_id} is {job.state}: only a failed or cancelled job can be tried again."
        raise Refused(Conflict(message, ConflictCode.JOB_ENDED, job_id=job_id))
    unfinished = ports.ledger.unfinished([job.project]).get(job.project, ())
    if again := [other for other in unfinished if other.retry_of == job.id]:
        return again[0]
    return admit(
        ports,
        actor,
        load_change(job.change),
        key=_retry_key(ports, actor, job.id),
        reason=job.reason,
        expected_head=None,
        mutation="retryJob",
        arguments={"id": job.id},
        retry_of=job.id,
    )


def _retry_key(ports: Ports, actor: Actor, job_id: str) -> str:
    """The key of the next try: the same for all who ask at once, so that one job comes of it."""
    keys = (f"retry {number} of {job_id}" for number in itertools.count(1))
    tried = ((key, ports.ledger.get([derived_id(actor, key)])) for key in keys)
    return next(key for key, jobs in tried if not any(job.state.ended for job in jobs.values()))


def _job(ports: Ports, job_id: str) -> JobRecord:
    """Its record or, where Redis forgot it, what the commit that carries its id tells."""
    found = ports.ledger.get([job_id]).get(job_id) or _landed(ports, job_id)
    if found is None:
        raise Refused(NotFound(f"There is no job {job_id} (any more).", "job", job_id))
    return found


def _landed(ports: Ports, job_id: str) -> JobRecord | None:
    for project in ports.githost.projects():
        head = heads.current(ports, project).sha
        commit = ports.history.landed(project, head, [job_id]).get(job_id) if head else None
        if head and commit:
            return landed_record(job_id, project, commit, head)
    return None
