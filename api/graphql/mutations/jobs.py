"""Jobs: cancelled and tried again."""

import strawberry

from api.graphql.context import Info
from api.graphql.guards import mutation
from api.graphql.jobs import Job, parse_id
from api.graphql.problems import JobResult
from api.threads import call
from jobs.interventions import cancel, retry


@strawberry.type
class JobMutation:
    """Root fields."""

    @mutation("End a job before its push begins; then Conflict PUSHING or JOB_ENDED.", scope=None)
    async def cancel_job(self, info: Info, id: strawberry.ID) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        context = info.context
        return Job.of(await call(cancel, context.ports, context.actor, parse_id(id)))

    @mutation("A new job for a failed or cancelled one; while such a one is unfinished, that one.", scope=None)
    async def retry_job(self, info: Info, id: strawberry.ID) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        context = info.context
        return Job.of(await call(retry, context.ports, context.actor, parse_id(id)))
