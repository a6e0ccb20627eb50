"""Jobs and their logs as they happen; both streams complete when the job has ended."""

from collections.abc import AsyncIterator

import strawberry
from graphql import GraphQLError

from adapters.records import Event, JobRecord
from api.graphql import streams
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import stream
from api.graphql.jobs import Job, parse_id
from api.reading.jobs import jobs_of
from api.threads import call
from gitops.problems import NotFound, Refused


@strawberry.type(description="One item of job: the job as it was then.")
class JobEvent(streams.Item):
    """See the contract."""

    job: Job


@strawberry.type
class JobSubscription:
    """Root fields."""

    @stream("A job until it has ended.")
    async def job(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - the contract's name
        after: str | None = strawberry.UNSET,
    ) -> AsyncIterator[JobEvent]:
        """See the contract."""
        known = await require(info, parse_id(id))
        async for moment in moments(info, or_none(after), known):
            record = moment.event.job if moment.event else await present(info, known)
            if record is not None:
                yield JobEvent(**moment.item("job"), job=Job.of(record))
                if record.state.ended:
                    return


def moments(info: Info, after: str | None, job: JobRecord) -> AsyncIterator[streams.Moment]:
    """When a job changed; a job that had ended before is not awaited."""

    def wanted(event: Event) -> bool:
        return event.job is not None and event.job.id == job.id

    async def over() -> bool:
        return (await present(info, job)).state.ended

    return streams.moments(info, after, wanted, job.project, over)


async def require(info: Info, job_id: str) -> JobRecord:
    """A job's record, or what its commit tells. Raises Refused(NotFound), Unreachable."""
    found = (await call(jobs_of, info.context.ports, info.context.flights, [(job_id, None)]))[0]
    if found is None:
        raise Refused(NotFound(f"There is no job {job_id}, and no commit carries its id.", "job", job_id))
    return found


async def present(info: Info, known: JobRecord) -> JobRecord:
    """The job now. Raises GraphQLError JOB_LOST when neither record nor commit tells of it any more."""
    found = (await call(jobs_of, info.context.ports, info.context.flights, [(known.id, known.project)]))[0]
    if found is None:
        message = f"Job {known.id} was lost before it landed: look at the head, and send the change again."
        raise GraphQLError(message, extensions={"code": "JOB_LOST"})
    return found
