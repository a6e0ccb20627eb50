"""Whether a job's commit is on the host: the only thing that decides about a push whose answer is unknown."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adapters.records import Claim, JobRecord, Outcome
from adapters.wiring import Ports
from gitops import messages
from gitops.problems import NotFound, Refused
from jobs import heads, outcomes


def look(ports: Ports, claim: Claim, jobs: Sequence[JobRecord], *, just_sealed: bool = False) -> bool:
    """Record those of these sealed jobs that landed; return the others to the queue once their push cannot land any
    more. Until then they stay sealed. Whether all came to something. Raises Unreachable('git').
    """
    try:
        head = ports.repositories.fetch(claim.project) or ""
    except Refused as refusal:
        if not isinstance(refusal.problem, NotFound):
            raise
        head = ""
    found = landed(ports, claim.project, jobs, None, head)
    if found:
        heads.notice(ports, claim.project)
        ports.claims.record(claim, found)
    known = {outcome.job_id for outcome in found}
    missing = [job for job in jobs if job.id not in known]
    if just_sealed or any(_may_still_land(ports, job) for job in missing):
        return not missing
    ports.claims.record(claim, outcomes.returned(missing, "its push did not arrive; trying again"))
    return True


def landed(ports: Ports, project: str, jobs: Sequence[JobRecord], old: str | None, new: str) -> list[Outcome]:
    """Outcomes of those jobs whose trusted commit is in the history of `new`, after `old` where that is known."""
    if not jobs or not new:
        return []
    by_id = {job.id: job for job in jobs}
    commits = ports.repositories.log(project, old, new) if old else None
    if commits is not None:
        pairs = [
            (messages.parse(commit.message).first(messages.JOB_ID), commit) for commit in commits if commit.trusted
        ]
        found = {job_id: commit for job_id, commit in pairs if job_id in by_id}
    else:
        found = {job_id: record.git for job_id, record in ports.history.landed(project, new, list(by_id)).items()}
    return [
        outcomes.landed(by_id[job_id], commit.sha, commit.subject, new) for job_id, commit in found.items() if job_id
    ]


def _may_still_land(ports: Ports, job: JobRecord) -> bool:
    if job.sealed_at is None:
        return False
    return datetime.now(UTC) < job.sealed_at + timedelta(seconds=ports.settings.push_timeout_seconds)
