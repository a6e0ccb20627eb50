"""What becomes of a job, in the words of the ledger. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adapters.ports import Unreachable
from adapters.records import JobRecord, JobState, Outcome, Step
from adapters.wiring import Ports
from gitops.changes import Draft, JobKind
from gitops.problems import InvalidRepository, Problem, Unavailable
from jobs.batch import Batch

COMMIT, REFRESH, APPLICATION, NAMESPACE = "commit", "refresh", "application", "namespace"
CONVERGING = {JobKind.PROJECT_CREATE, JobKind.PROJECT_DELETE, JobKind.ENVIRONMENT_CREATE, JobKind.ENVIRONMENT_DELETE}
"""Kinds that wait, after their commit, until delivery and cluster agree."""


def of(batch: Batch) -> list[Outcome]:
    """Every job of a batch whose head is confirmed, in the order of admission."""
    return [
        *(landed(made.job, made.sha, made.subject, batch.tip, made.warnings) for made in batch.made),
        *(_no_change(job, draft, batch.tip) for job, draft in batch.no_change),
        *(failed(job, problem, batch.tip) for job, problem in batch.failed),
    ]


def landed(job: JobRecord, sha: str, subject: str, head: str, warnings: Sequence[str] = ()) -> Outcome:
    """Its commit is on the host."""
    steps = [_ended(job, COMMIT, JobState.SUCCEEDED, "; ".join([sha[:7], *warnings]))]
    state = JobState.SUCCEEDED
    if job.kind in CONVERGING:
        state = JobState.WAITING
        steps += [Step(name, JobState.WAITING, started_at=datetime.now(UTC)) for name in (APPLICATION, NAMESPACE)]
    return Outcome(job.id, state, subject, commit=sha, head=head, steps=tuple(steps))


def _no_change(job: JobRecord, draft: Draft, head: str) -> Outcome:
    message = "; ".join([f"nothing to do: {head[:7]} already is as asked", *draft.warnings])
    step = _ended(job, COMMIT, JobState.SUCCEEDED, message)
    return Outcome(job.id, JobState.SUCCEEDED, draft.subject, head=head, no_change=True, steps=(step,))


def failed(job: JobRecord, problem: Problem, head: str | None = None) -> Outcome:
    """It cannot be carried out; `head` is what it was judged on."""
    if isinstance(problem, InvalidRepository) and problem.commit_sha is None:
        problem = replace(problem, commit_sha=head)
    step = _ended(job, _work(job), JobState.FAILED, problem.message)
    return Outcome(job.id, JobState.FAILED, head=head, problem=problem, steps=(step,))


def returned(jobs: Iterable[JobRecord], why: str) -> list[Outcome]:
    """Back to their places in the queue."""
    return [Outcome(job.id, JobState.QUEUED, steps=(Step(_work(job), JobState.QUEUED, why),)) for job in jobs]


def postponed(ports: Ports, jobs: Sequence[JobRecord], outage: Unreachable) -> list[Outcome]:
    """Back to the queue because the outside does not answer; failed when that lasts longer than the deadline. What was
    sealed may have landed: it stays where it is, and says so.
    """
    oldest = datetime.now(UTC) - timedelta(seconds=ports.settings.outage_deadline_seconds)
    open_ones = [job for job in jobs if job.sealed_at is None]
    late = [job for job in open_ones if job.created_at < oldest]
    message = f"{outage.component} did not answer for too long: {outage}. Try the job again when it does."
    given_up = [failed(job, Unavailable(message, outage.component)) for job in late]
    waits = f"waiting for {outage.component}: {outage}"
    sealed = [_unconfirmed(job, waits) for job in jobs if job.sealed_at is not None]
    return [*given_up, *returned([job for job in open_ones if job not in late], waits), *sealed]


def _unconfirmed(job: JobRecord, waits: str) -> Outcome:
    said = f"it was pushed, and whether that arrived cannot be told yet: {waits}"
    return Outcome(job.id, JobState.RUNNING, steps=(Step(COMMIT, JobState.RUNNING, said, job.started_at),))


def _work(job: JobRecord) -> str:
    """The step that a job without one stands at."""
    return REFRESH if job.kind is JobKind.SYNC else COMMIT


def _ended(job: JobRecord, name: str, state: JobState, message: str) -> Step:
    return Step(name, state, message, job.started_at, datetime.now(UTC))
