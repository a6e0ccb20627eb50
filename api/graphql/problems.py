"""What can stop a change, as union members and as Job.error."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from api.graphql import jobs, plans
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.later import Job, PromotionPlan
from gitops import problems as domain
from gitops.problems import ConflictCode


@strawberry.interface(description="What stopped a change.")
class Problem:
    """Every member of a result union that is no success."""

    message: str = strawberry.field(description="For a person: what failed, on what, what to do next.")


@strawberry.type(description="One wrong part of an input.")
class FieldError:
    """See gitops.problems."""

    path: list[str] = strawberry.field(description="Names of fields and places in lists, from the input down.")
    message: str


@strawberry.type(description="The request itself is malformed; sent again unchanged it can never work.")
class InvalidInput(Problem):
    """See gitops.problems."""

    errors: list[FieldError]


@strawberry.type(description="A file in the repository cannot be read.")
class InvalidRepository(Problem):
    """See gitops.problems."""

    path: str
    line: int | None = strawberry.field(description="From 1.")
    column: int | None = strawberry.field(description="From 1, in characters.")
    commit_sha: str | None = strawberry.field(description="The commit that it was seen in.")

    @classmethod
    def of(cls, model: domain.InvalidRepository) -> "InvalidRepository":
        """From the domain's."""
        return cls(
            message=model.message,
            path=model.path,
            line=model.line,
            column=model.column,
            commit_sha=model.commit_sha,
        )


@strawberry.type(description="What the change is about does not exist.")
class NotFound(Problem):
    """See gitops.problems."""

    what: str = strawberry.field(description="project, environment, service, job, token, commit, tag and so on.")
    name: str


@strawberry.type(description="What the change would make exists already.")
class AlreadyExists(Problem):
    """See gitops.problems."""

    what: str = strawberry.field(description="project, environment, service or namespace.")
    name: str


@strawberry.type(description="Who asks may not do this.")
class PermissionDenied(Problem):
    """See gitops.problems."""

    required: str = strawberry.field(description="The permission that is missing, as tokens:write.")


@strawberry.type(description="Two wishes cannot both be carried out.")
class Conflict(Problem):
    """See gitops.problems."""

    code: ConflictCode
    head: str | None = strawberry.field(description="The full SHA that it was judged on.")
    paths: list[str] = strawberry.field(
        description="Files that stand in the way; with `:` and a key, that key of a file."
    )
    commits: list[str] = strawberry.field(description="Full SHAs of the commits that stand in the way.")
    job_id: strawberry.Private[str | None]

    @field("The job that stands in the way, if one does.")
    async def job(self, info: Info) -> Job | None:
        """Loaded when asked for."""
        return await jobs.load(info, self.job_id)


@strawberry.type(description="A component does not answer now.")
class Unavailable(Problem):
    """See gitops.problems."""

    component: str = strawberry.field(
        description="git, redis, delivery, cluster, registry, builder, source or secrets."
    )
    job_id: strawberry.ID | None = strawberry.field(
        description="The change may have been accepted under this id; ask again with it."
    )


@strawberry.type(description="A bound is reached.")
class RateLimited(Problem):
    """See gitops.problems."""

    retry_after_seconds: float = strawberry.field(description="Seconds after which to try again.")


@strawberry.type(description="Helm refused the values; the message is the chart's own.")
class RenderFailed(Problem):
    """See gitops.problems."""

    environment_name: str | None


@strawberry.type(description="Anything else that ended a job.")
class JobFailure(Problem):
    """See gitops.problems."""

    step: str | None = strawberry.field(description="The step of the job that failed.")


@strawberry.type(description="Something that can stand in the way of a change.")
class Gate:
    """See gitops.problems."""

    name: str = strawberry.field(description="hold or pipeline.")
    open: bool
    message: str
    next_open_at: datetime | None = strawberry.field(description="When it opens by itself.")

    @classmethod
    def of(cls, model: domain.Gate) -> Self:
        """From the domain's."""
        return cls(name=model.name, open=model.open, message=model.message, next_open_at=model.next_open_at)


@strawberry.type(description="Gates are closed; a person may pass with an override and a reason.")
class GateClosed(Problem):
    """See gitops.problems."""

    gates: list[Gate]
    next_open_at: datetime | None = strawberry.field(description="When the last of them opens by itself, if all do.")

    @classmethod
    def of(cls, model: domain.GateClosed) -> Self:
        """From the domain's."""
        gates = [Gate.of(gate) for gate in model.gates]
        return cls(message=model.message, gates=gates, next_open_at=model.next_open_at)


@strawberry.type(description="What a plan showed is no longer what the change would come to.")
class PlanStale(Problem):
    """See gitops.problems."""

    change: strawberry.Private[str]

    @field("The new plan, made when asked for; null when there can be none.")
    async def plan(self, info: Info) -> PromotionPlan | None:
        """Planned when asked for."""
        return await plans.again(info, self.change)


def of(model: domain.Problem) -> Problem:  # noqa: C901, PLR0911 - one return a kind
    """The GraphQL type of a domain problem."""
    match model:
        case domain.InvalidInput():
            errors = [FieldError(path=list(error.path), message=error.message) for error in model.errors]
            return InvalidInput(message=model.message, errors=errors)
        case domain.InvalidRepository():
            return InvalidRepository.of(model)
        case domain.NotFound():
            return NotFound(message=model.message, what=model.what, name=model.name)
        case domain.AlreadyExists():
            return AlreadyExists(message=model.message, what=model.what, name=model.name)
        case domain.PermissionDenied():
            return PermissionDenied(message=model.message, required=model.required)
        case domain.Conflict():
            return _conflict(model)
        case domain.Unavailable():
            job_id = strawberry.ID(model.job_id) if model.job_id else None
            return Unavailable(message=model.message, component=model.component, job_id=job_id)
        case domain.RateLimited():
            return RateLimited(message=model.message, retry_after_seconds=model.retry_after_seconds)
        case domain.RenderFailed():
            return RenderFailed(message=model.message, environment_name=model.environment_name)
        case domain.JobFailure():
            return JobFailure(message=model.message, step=model.step)
        case domain.GateClosed():
            return GateClosed.of(model)
        case domain.PlanStale():
            return PlanStale(message=model.message, change=model.change)


def _conflict(model: domain.Conflict) -> Conflict:
    return Conflict(
        message=model.message,
        code=model.code,
        head=model.head,
        paths=list(model.paths),
        commits=list(model.commits),
        job_id=model.job_id,
    )


TYPES = (
    InvalidInput,
    InvalidRepository,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    Conflict,
    Unavailable,
    RateLimited,
    RenderFailed,
    JobFailure,
    GateClosed,
    PlanStale,
)

JobResult = Annotated[
    Job
    | InvalidInput
    | InvalidRepository
    | NotFound
    | AlreadyExists
    | PermissionDenied
    | Conflict
    | Unavailable
    | RateLimited
    | GateClosed
    | PlanStale,
    strawberry.union("JobResult", description="The queued job, or what stopped the change."),
]
