"""Claimed changes made into commits on one head, in order, each on the tree as the one before left it.

Nothing here pushes or records: a batch can be built again on another head at any time.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from adapters.codec import load_change
from adapters.ports import MissingCommit, Unreachable
from adapters.records import JobRecord, NewCommit
from adapters.wiring import Ports
from gitops import gates, messages
from gitops.changes import Draft, JobKind
from gitops.operations.deployments import Deploy, untold
from gitops.problems import JobFailure, Problem, Refused
from gitops.tree import Files
from jobs import namespaces
from jobs.contexts import context_at
from jobs.digests import Digests
from jobs.plans import check_plan
from jobs.preconditions import check_expected_head
from jobs.rendering import check_renders, concerned

_AHEAD = 4
"""Commits made before Helm has accepted the first of them."""
_log = structlog.get_logger()


@dataclass(frozen=True)
class Made:
    """One change as a commit; `environments` are those that it concerns, `warnings` what could not be found out."""

    job: JobRecord
    sha: str
    subject: str
    environments: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """What some jobs come to on `head`: commits in order, jobs with nothing to do, jobs that cannot be."""

    head: str
    made: tuple[Made, ...] = ()
    no_change: tuple[tuple[JobRecord, Draft], ...] = ()
    """With what they would have come to."""
    failed: tuple[tuple[JobRecord, Problem], ...] = ()
    written: frozenset[str] = field(default=frozenset())

    def with_failure(self, job: JobRecord, problem: Problem) -> "Batch":
        """The same batch and one more job that cannot be."""
        return replace(self, failed=(*self.failed, (job, problem)))

    @property
    def tip(self) -> str:
        """The last commit, the head itself when there is none."""
        return self.made[-1].sha if self.made else self.head


def build(ports: Ports, jobs: Sequence[JobRecord], head: str, digests: Digests) -> Batch:
    """Every job judged and committed on `head` ('' for a repository without a commit). Moves no ref anywhere."""
    deploys = [deploy for job in jobs if (deploy := _deploy_of(job)) is not None] if ports.registry else []
    if deploys and head:
        digests.gather(untold(deploys, ports.repositories.snapshot(jobs[0].project, head)))
    with ThreadPoolExecutor(1, thread_name_prefix="render") as renders:
        return _Building(ports, jobs, renders, digests, Batch(head)).run()


def _deploy_of(job: JobRecord) -> Deploy | None:
    """What is asked for; None for anything else, and for what cannot be read: that fails when its turn comes."""
    if job.kind is not JobKind.DEPLOY:
        return None
    try:
        change = load_change(job.change)
    except Exception:  # noqa: BLE001 - as above
        return None
    return change if isinstance(change, Deploy) else None


@dataclass(frozen=True)
class _Unchecked:
    """A commit that Helm has not accepted yet, and the batch as it was before it."""

    position: int
    before: Batch
    render: Future[None]


@dataclass
class _Building:
    """Helm renders a commit while the next ones are made; when it refuses one, those after it are made again."""

    ports: Ports
    jobs: Sequence[JobRecord]
    renders: ThreadPoolExecutor
    digests: Digests
    batch: Batch
    position: int = 0
    unchecked: deque[_Unchecked] = field(default_factory=deque)

    def run(self) -> Batch:
        while True:
            if self._should_check():
                self._check_first()
            elif self.position < len(self.jobs):
                self._make_next()
            else:
                return self.batch

    def _should_check(self) -> bool:
        if not self.unchecked:
            return False
        full = len(self.unchecked) >= _AHEAD or self.position == len(self.jobs)
        return full or self.unchecked[0].render.done()

    def _make_next(self) -> None:
        job, before = self.jobs[self.position], self.batch
        try:
            self.batch, check = _add(self.ports, before, job, self.digests)
        except Exception as error:  # noqa: BLE001 - a change that fails fails alone
            self.batch = before.with_failure(job, _problem_of(job, error))
        else:
            if check is not None:
                self.unchecked.append(_Unchecked(self.position, before, self.renders.submit(check)))
        self.position += 1

    def _check_first(self) -> None:
        first = self.unchecked.popleft()
        try:
            first.render.result()
        except Exception as error:  # noqa: BLE001 - as above
            job = self.jobs[first.position]
            self.batch = first.before.with_failure(job, _problem_of(job, error))
            self.position = first.position + 1
            for later in self.unchecked:
                later.render.cancel()
            self.unchecked.clear()


def _add(ports: Ports, batch: Batch, job: JobRecord, digests: Digests) -> tuple[Batch, Callable[[], None] | None]:
    """The batch with one more job, and what is still to be checked of its commit. Raises Refused."""
    change = load_change(job.change)
    if job.expected_head:
        check_expected_head(ports, change, job.expected_head, batch.head, batch.written)
    before = ports.repositories.snapshot(job.project, batch.tip) if batch.tip else Files()
    check_plan(change, before)
    ahead = [made.sha for made in batch.made]
    context = context_at(ports, job.project, batch.tip, job.actor, job.reason, batch.head, digests.find, ahead)
    draft = gates.passed(change.apply(before, context), context)
    writes = {path: data for path, data in draft.writes.items() if before.read(path) != data}
    if not writes:
        return replace(batch, no_change=(*batch.no_change, (job, draft))), None
    namespaces.check_free(ports, job.project, before, writes)
    new = NewCommit(_message(job, draft), job.actor.name, job.actor.email, context.now, writes)
    sha = ports.repositories.commit(job.project, batch.tip, new)
    after = ports.repositories.snapshot(job.project, sha)
    made = Made(job, sha, draft.subject, concerned(writes, after), draft.warnings)
    grown = replace(batch, made=(*batch.made, made), written=batch.written | writes.keys())
    return grown, partial(check_renders, ports, job.project, before, after, writes)


def _problem_of(job: JobRecord, error: Exception) -> Problem:
    """What ends the job. What is no fault of the change is raised again."""
    match error:
        case Refused():
            return error.problem
        case Unreachable() | MissingCommit():
            raise error
        case _:
            _log.error("change failed unexpectedly", job=job.id, exc_info=error)
            return JobFailure(f"Carrying out the change failed unexpectedly: {type(error).__name__}.", "commit")


def _message(job: JobRecord, draft: Draft) -> str:
    origin = [(messages.JOB_ID, job.id), (messages.ACTOR_ID, job.actor.id)]
    reason = [(messages.REASON, job.reason)] if job.reason else []
    return messages.render(draft.subject, draft.body, (*origin, *reason, *draft.trailers))
