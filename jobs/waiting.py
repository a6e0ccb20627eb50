"""What becomes of a job that waits for delivery and cluster, step by step. No I/O.

A creation has its namespace before its application, a deletion gives it up after.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adapters.records import JobRecord, JobState, Outcome, Step
from gitops.changes import JobKind
from gitops.problems import Conflict, ConflictCode
from jobs.outcomes import APPLICATION, CONVERGING, NAMESPACE

_DELETIONS = {JobKind.ENVIRONMENT_DELETE, JobKind.PROJECT_DELETE}


@dataclass(frozen=True)
class Block:
    """What one environment waits for, and the step that it stands at. `earlier`: an environment of the same name that
    is over is still in the way of the one that Git asks for now.
    """

    step: str
    message: str
    earlier: bool = False


def moved_on(
    job: JobRecord, wanted: Collection[str], blocks: Mapping[str, Block], agreed: Mapping[str, str]
) -> Outcome | None:
    """The next state of a waiting job; None when nothing changes. `agreed`: what each step says at its end."""
    if job.kind not in CONVERGING:
        return None
    mine = [block for name, block in blocks.items() if not job.environments or name in job.environments]
    if mine:
        return _blocked(job, mine, agreed)
    if job.kind is JobKind.PROJECT_DELETE:
        return None
    if job.kind is JobKind.ENVIRONMENT_CREATE and job.environments[0] not in wanted:
        message = f"The environment {job.environments[0]} was deleted before it was ready."
        problem = Conflict(message, ConflictCode.BEING_DELETED)
        return replace(succeeded(job, agreed), state=JobState.FAILED, problem=problem)
    return succeeded(job, agreed)


def succeeded(job: JobRecord, agreed: Mapping[str, str]) -> Outcome:
    """Nothing is left to wait for."""
    steps = tuple(_done(step, agreed) for step in job.steps)
    return Outcome(job.id, JobState.SUCCEEDED, commit=job.commit, head=job.head, steps=steps)


def stuck(job: JobRecord, said: Mapping[str, str], agreed: Mapping[str, str]) -> Outcome | None:
    """It goes on waiting, with `said` at its steps; the steps of `agreed` have ended. None when that is known."""
    steps = tuple(
        _done(step, agreed)
        if step.name in agreed or step.state is not JobState.WAITING
        else replace(step, message=said.get(step.name))
        for step in job.steps
    )
    if job.kind not in CONVERGING or steps == job.steps:
        return None
    return Outcome(job.id, JobState.WAITING, commit=job.commit, head=job.head, steps=steps)


def _blocked(job: JobRecord, blocks: Sequence[Block], agreed: Mapping[str, str]) -> Outcome | None:
    order = (APPLICATION, NAMESPACE) if job.kind in _DELETIONS else (NAMESPACE, APPLICATION)
    said: dict[str, list[str]] = {}
    for block in blocks:
        step = order[0] if block.earlier and job.kind not in _DELETIONS else block.step
        said.setdefault(step, []).append(block.message)
    over = order[: min(order.index(step) for step in said)]
    messages = {step: "; ".join(texts) for step, texts in said.items()}
    return stuck(job, messages, {step: agreed[step] for step in over})


def _done(step: Step, agreed: Mapping[str, str]) -> Step:
    if step.state is not JobState.WAITING:
        return step
    message = agreed.get(step.name, step.message)
    return replace(step, state=JobState.SUCCEEDED, message=message, finished_at=datetime.now(UTC))
