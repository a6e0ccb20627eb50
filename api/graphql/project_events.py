"""Everything that happens in a project, in one stream."""

from collections.abc import AsyncIterator

import strawberry

from adapters.records import Event, EventKind
from api.graphql import commits, deployments, environments, projects, streams
from api.graphql.context import Info
from api.graphql.enums import ProjectEventKind
from api.graphql.fields import field
from api.graphql.guards import stream
from api.graphql.jobs import Job
from api.graphql.later import Commit, Deployment, Environment, Project
from api.graphql.statuses import EnvironmentStatus
from api.reading.statuses import StatusView

_KINDS = {
    EventKind.JOB: ProjectEventKind.JOB,
    EventKind.COMMIT: ProjectEventKind.COMMIT,
    EventKind.STATUS: ProjectEventKind.STATUS,
    EventKind.ROLLOUT: ProjectEventKind.DEPLOYMENT,
    EventKind.HISTORY_REWRITTEN: ProjectEventKind.SNAPSHOT,
}


@strawberry.type(description="One item of projectEvents; a SNAPSHOT's state is selected through project.")
class ProjectEvent(streams.Item):
    """See the contract."""

    kind: ProjectEventKind
    project_name: strawberry.Private[str]
    event: strawberry.Private[Event | None]

    @field("The project as it is now.")
    async def project(self, info: Info) -> Project:
        """Loaded when asked for."""
        return await projects.require(info, self.project_name)

    @field("The job as it was then.")
    def job(self) -> Job | None:
        """Known already."""
        return Job.of(self.event.job) if self.event and self.event.job else None

    @field("The commit that landed, or whose rollout moved.")
    async def commit(self, info: Info) -> Commit | None:
        """Loaded when asked for."""
        return await commits.load(info, self.project_name, self._sha)

    @field("The environment that it is about.")
    async def environment(self, info: Info) -> Environment | None:
        """Loaded when asked for."""
        return await environments.load(info, self.project_name, self._environment)

    @field("The status as it was then.")
    def status(self) -> EnvironmentStatus | None:
        """Known already."""
        seen = self.event.status if self.event else None
        return (
            EnvironmentStatus.of(self.project_name, seen.environment, StatusView(seen, stale=False)) if seen else None
        )

    @field("The first deployment of the commit in the environment.")
    async def deployment(self, info: Info) -> Deployment | None:
        """Loaded when asked for."""
        sha = self._sha
        record = await info.context.load.commit.load((self.project_name, sha)) if sha else None
        found = await deployments.of_commit(info, self.project_name, record, self._environment) if record else []
        return next(iter(found), None)

    @property
    def _sha(self) -> str | None:
        if self.event is None:
            return None
        return self.event.rollout.commit if self.event.rollout else self.event.commit

    @property
    def _environment(self) -> str | None:
        """The one environment that an event is about."""
        event = self.event
        if event is None:
            return None
        if event.environment is None and len(event.environments) == 1:
            return event.environments[0]
        return event.environment or (event.job.environments[0] if event.job and event.job.environments else None)


@strawberry.type
class ProjectSubscription:
    """Root fields."""

    @stream("Jobs, commits, statuses and deployments of a project.", scope="project")
    async def project_events(
        self, info: Info, project: str, after: str | None = strawberry.UNSET
    ) -> AsyncIterator[ProjectEvent]:
        """See the contract."""
        await projects.require(info, project)

        def wanted(event: Event) -> bool:
            return event.kind in _KINDS

        async for moment in streams.moments(info, after, wanted, project):
            kind = _KINDS[moment.event.kind] if moment.event else ProjectEventKind.SNAPSHOT
            yield ProjectEvent(**moment.item("project"), kind=kind, project_name=project, event=moment.event)
