"""What can stop a change, as data that travels: from a pure function, through the ledger, to a GraphQL union member.

Refused                 a change cannot be carried out; carries one Problem
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class FieldError:
    """One wrong part of an input: its path in the input and what is wrong with it."""

    path: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class InvalidInput:
    """The request itself is malformed; sending it again unchanged can never work."""

    message: str
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True)
class InvalidRepository:
    """A file in the repository cannot be read; `line` and `column` count from 1."""

    message: str
    path: str
    line: int | None = None
    column: int | None = None
    commit_sha: str | None = None


@dataclass(frozen=True)
class NotFound:
    """A thing that is not there; `what` is its kind in lower case: project, environment, service, job, token."""

    message: str
    what: str
    name: str


@dataclass(frozen=True)
class AlreadyExists:
    """`what` is as in NotFound, or `namespace`."""

    message: str
    what: str
    name: str


@dataclass(frozen=True)
class PermissionDenied:
    """`required` names the verb that the actor lacks."""

    message: str
    required: str


class ConflictCode(StrEnum):
    """Why two wishes cannot both be carried out. HEAD_MOVED: a commit after the expected head touched the same files;
    KEY_REUSED: the idempotency key was sent with another request; CHANGED_SINCE: what a revert would put back changed
    later; JOB_ENDED, PUSHING: too late to cancel; BEING_DELETED: it is on its way out.
    """

    HEAD_MOVED = "HEAD_MOVED"
    KEY_REUSED = "KEY_REUSED"
    CHANGED_SINCE = "CHANGED_SINCE"
    JOB_ENDED = "JOB_ENDED"
    PUSHING = "PUSHING"
    BEING_DELETED = "BEING_DELETED"


@dataclass(frozen=True)
class Conflict:
    """`commits` are full SHAs; `job_id` is the job that stands in the way, if one does."""

    message: str
    code: ConflictCode
    head: str | None = None
    paths: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    job_id: str | None = None


@dataclass(frozen=True)
class Unavailable:
    """A component does not answer; `job_id` when the change may have been accepted all the same."""

    message: str
    component: str
    job_id: str | None = None


@dataclass(frozen=True)
class RateLimited:
    """A bound is reached; try again after the given seconds."""

    message: str
    retry_after_seconds: float


@dataclass(frozen=True)
class RenderFailed:
    """Helm refused the values; `message` is the chart's own."""

    message: str
    environment_name: str


@dataclass(frozen=True)
class JobFailure:
    """Anything else that ended a job, in the step named."""

    message: str
    step: str | None = None


@dataclass(frozen=True)
class Gate:
    """Something that can stand in the way of a change: `hold` or `pipeline`."""

    name: str
    open: bool
    message: str
    next_open_at: datetime | None = None
    """When it opens by itself."""


@dataclass(frozen=True)
class GateClosed:
    """Gates that are closed; a person may pass them with an override and a reason."""

    message: str
    gates: tuple[Gate, ...]
    next_open_at: datetime | None = None
    """When the last of them opens by itself, if all do."""


@dataclass(frozen=True)
class PlanStale:
    """What a plan showed is no longer what the change would come to; `change` is the change as data."""

    message: str
    change: str = ""


Problem = (
    InvalidInput
    | InvalidRepository
    | NotFound
    | AlreadyExists
    | PermissionDenied
    | Conflict
    | Unavailable
    | RateLimited
    | RenderFailed
    | JobFailure
    | GateClosed
    | PlanStale
)


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """The change cannot be carried out, for the reason it carries."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def invalid(path: str, message: str) -> Refused:
    """Refuse one field of an input; `path` is dotted."""
    return Refused(InvalidInput(message, (FieldError(tuple(path.split(".")), message),)))
