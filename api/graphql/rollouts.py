"""The fate of commits in environments."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Self

import strawberry

from adapters.records import Event
from api.graphql import commits, deployments, streams
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.given import or_none
from api.graphql.guards import stream
from api.graphql.later import Commit, Deployment
from api.graphql.statuses import ResourceStatus
from api.reading.rollouts import RolloutKey, RolloutView, rollouts_of
from api.threads import call
from gitops.commits import CommitRecord
from gitops.problems import invalid
from gitops.rollouts import RolloutPhase


@strawberry.type(description="How far a commit has come in one environment.")
class Rollout:
    """See gitops.rollouts."""

    phase: RolloutPhase
    final: bool = strawberry.field(description="Nothing more is awaited.")
    message: str | None = strawberry.field(description="What it waits for, or why it ended so.")
    resources: list[ResourceStatus] = strawberry.field(description="The objects that it was judged by.")
    started_at: datetime | None = strawberry.field(description="When the cluster began with it.")
    finished_at: datetime | None = strawberry.field(description="When its final phase was reached.")
    stale: bool = strawberry.field(
        description="The delivery was not heard for longer than it should, or Redis is away."
    )

    @classmethod
    def of(cls, view: RolloutView) -> Self:
        """From a verdict."""
        model = view.rollout
        return cls(
            phase=model.phase,
            final=model.final,
            message=model.message,
            resources=[ResourceStatus.of(resource) for resource in model.resources],
            started_at=model.started_at,
            finished_at=model.finished_at,
            stale=view.stale,
        )


@strawberry.type(description="The fate of a commit in one of the environments that it touched.")
class EnvironmentRollout:
    """Loaded when asked for."""

    environment_name: str
    project_name: strawberry.Private[str]
    sha: strawberry.Private[str]

    @field("What the cluster did with the commit there.")
    async def rollout(self, info: Info) -> Rollout:
        """Loaded when asked for."""
        return await load(info, (self.project_name, self.environment_name, self.sha))


@strawberry.type(description="One item of rollout.")
class RolloutEvent(streams.Item):
    """The rollout as it was then."""

    rollout: Rollout
    record: strawberry.Private[CommitRecord]
    project_name: strawberry.Private[str]
    environment_name: strawberry.Private[str]

    @field("The commit that was asked about.")
    async def commit(self) -> Commit:
        """Known already."""
        return commits.Commit.of(self.project_name, self.record)

    @field("What the commit deployed in this environment.")
    async def deployments(self, info: Info) -> list[Deployment]:
        """Loaded when asked for."""
        return await deployments.of_commit(info, self.project_name, self.record, self.environment_name)


@strawberry.type
class RolloutSubscription:
    """Root fields."""

    @stream("A commit's way into an environment; completes at a final phase: what CI waits for.", scope="project")
    async def rollout(
        self, info: Info, project: str, environment: str, commit: str, after: str | None = strawberry.UNSET
    ) -> AsyncIterator[RolloutEvent]:
        """See the contract."""
        record = await commits.require(info, project, commit)
        if environment not in record.environments:
            raise invalid("environment", f"Commit {commit} changes nothing in environment {environment}.")
        key = (project, environment, record.git.sha)
        async for moment in _moments(info, or_none(after), key):
            view = await _view(info, moment, key)
            yield RolloutEvent(
                **moment.item("rollout"),
                rollout=Rollout.of(view),
                record=record,
                project_name=project,
                environment_name=environment,
            )
            if view.rollout.final:
                return


async def load(info: Info, key: RolloutKey) -> Rollout:
    """One rollout, in a batch with others."""
    return Rollout.of(await info.context.load.rollout.load(key))


def _moments(info: Info, after: str | None, key: RolloutKey) -> AsyncIterator[streams.Moment]:
    def wanted(event: Event) -> bool:
        found = event.rollout
        return found is not None and (found.project, found.environment, found.commit) == key

    async def over() -> bool:
        return (await _present(info, key)).rollout.final

    return streams.moments(info, after, wanted, key[0], over)


async def _view(info: Info, moment: streams.Moment, key: RolloutKey) -> RolloutView:
    """The rollout as it was at the moment."""
    if moment.event is not None and moment.event.rollout is not None:
        return RolloutView(moment.event.rollout.rollout, stale=False)
    return await _present(info, key)


async def _present(info: Info, key: RolloutKey) -> RolloutView:
    return (await call(rollouts_of, info.context.ports, info.context.flights, [key]))[0]
