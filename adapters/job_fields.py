"""A job record as the fields of its Redis hash, and back: what never changes as one JSON text, what changes apart, so
that scripts never have to write JSON. Times of changes are Redis' own, in milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from adapters import codec
from adapters.records import JobRecord, JobState, Outcome, Step
from gitops.caching import SizedCache
from gitops.changes import JobKind
from gitops.problems import Conflict, ConflictCode, Problem

_BUILD = "/build/"
_BYTES_A_CHARACTER = 4
_ADMITTED: SizedCache[JobRecord] = SizedCache(8 * 1024 * 1024)
DELETIONS = {JobKind.ENVIRONMENT_DELETE, JobKind.PROJECT_DELETE}


def render(job: JobRecord) -> dict[str, str]:
    """All fields of a job that is admitted, but for its number and what `admit.lua` writes itself."""
    return {
        "data": codec.dumps(job),
        "kind": job.kind.value,
        "environments": ",".join(job.environments),
        "services": ",".join(job.services),
        "actor": f"{job.actor.name}\n{job.actor.email}".lower(),
        "keyed": _flag(given=job.keyed),
        "version": str(job.version),
        "state": job.state.value,
        "summary": job.summary,
        "attempts": "0",
        "expired_claims": "0",
        "started_at": "",
        "steps": codec.dumps(job.steps),
    }


def parse(fields: Mapping[str, str]) -> JobRecord:
    """The record that a job's hash holds."""
    return replace(
        _admitted(fields["data"]),
        number=int(fields["number"]),
        state=JobState(fields["state"]),
        summary=fields["summary"],
        started_at=moment(fields.get("started_at")),
        finished_at=moment(fields.get("finished_at")),
        attempts=int(fields["attempts"]),
        expired_claims=int(fields["expired_claims"]),
        sealed_at=moment(fields.get("sealed_at")),
        cancel_requested=fields.get("cancel_requested") == "1",
        steps=_steps(fields["steps"]),
        commit=fields.get("commit") or None,
        head=fields.get("head") or None,
        no_change=fields.get("no_change") == "1",
        problem=load_problem(fields.get("problem")),
        superseded_by=fields.get("superseded_by") or None,
    )


def parse_flat(flat: Sequence[str]) -> JobRecord:
    """As `parse`, from fields and values in turn, as scripts answer them."""
    return parse(dict(zip(flat[::2], flat[1::2], strict=True)))


def lane(job: JobRecord) -> str:
    """The queue that a job stands in; syncs and builds do not stand in the way of commits."""
    match job.kind:
        case JobKind.SYNC:
            return sync_lane(job.project)
        case JobKind.BUILD:
            return f"{job.project}{_BUILD}{job.services[0]}"
        case _:
            return job.project


def sync_lane(project: str) -> str:
    """The queue of a project's syncs."""
    return f"{project}/sync"


def is_build_lane(lane: str) -> bool:
    """Whether builds stand in this queue: those of one service, one after the other."""
    return _BUILD in lane


def render_outcome(outcome: Outcome, job: JobRecord | None) -> list[str]:
    """The eleven arguments of `library/outcomes.lua`; `job` is the record where it is known."""
    steps = outcome.steps
    return [
        outcome.job_id,
        outcome.state.value,
        outcome.summary or "",
        outcome.commit or "",
        outcome.head or "",
        _flag(given=outcome.no_change),
        dump_problem(outcome.problem),
        "" if steps is None else codec.dumps(steps),
        _flag(given=any(step.name == "application" and step.message for step in steps or ())),
        outcome.superseded_by or "",
        dump_problem(_being_deleted(job)) if job is not None and job.kind in DELETIONS else "",
    ]


def dump_problem(problem: Problem | None) -> str:
    """A problem as JSON; '' for none."""
    return "" if problem is None else codec.dump_problem(problem)


def load_problem(text: str | None) -> Problem | None:
    """The problem that `dump_problem` made the text from."""
    return codec.load_problem(text) if text else None


def moment(milliseconds: str | None) -> datetime | None:
    """Redis' time as ours; None for ''."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def _being_deleted(deletion: JobRecord) -> Conflict:
    what = f"environment {deletion.environments[0]}" if deletion.environments else f"project {deletion.project}"
    return Conflict(f"the {what} is being deleted", ConflictCode.BEING_DELETED, job_id=deletion.id)


def _admitted(data: str) -> JobRecord:
    """A job as it was admitted; every event of its way carries that again."""
    return _ADMITTED.get(data) or _ADMITTED.put(data, codec.loads(JobRecord, data), len(data) * _BYTES_A_CHARACTER)


def _flag(*, given: bool) -> str:
    return "1" if given else ""


@cache
def _steps_kind() -> type[tuple[Step, ...]]:
    return tuple[Step, ...]


def _steps(text: str) -> tuple[Step, ...]:
    return codec.loads(_steps_kind(), text) if text != "[]" else ()
