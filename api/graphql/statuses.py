"""What the cluster says of environments."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Self

import strawberry

from adapters.records import Event, EventKind
from api.graphql import commits, environments, streams
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.guards import stream
from api.graphql.later import Commit, Environment
from api.graphql.nodes import Node, node_id
from api.reading.statuses import StatusView, statuses_of
from api.threads import call
from gitops import rollouts as domain
from gitops.rollouts import HealthStatus, OperationPhase, SyncStatus


@strawberry.type(description="One Kubernetes object of an environment, as the delivery reports it.")
class ResourceStatus:
    """See gitops.rollouts."""

    group: str
    version: str
    kind: str
    namespace: str | None
    name: str
    service_name: str | None = strawberry.field(description="The service that it belongs to.")
    sync: SyncStatus
    health: HealthStatus | None
    message: str | None

    @classmethod
    def of(cls, model: domain.ResourceStatus) -> Self:
        """From an observation."""
        return cls(
            group=model.group,
            version=model.version,
            kind=model.kind,
            namespace=model.namespace,
            name=model.name,
            service_name=model.service,
            sync=model.sync,
            health=model.health,
            message=model.message,
        )


@strawberry.type(description="A sync that the delivery runs or ran.")
class Operation:
    """See gitops.rollouts."""

    phase: OperationPhase
    message: str | None
    revision: str | None = strawberry.field(description="What is applied; not always a SHA.")
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, model: domain.Operation) -> Self:
        """From an observation."""
        return cls(
            phase=model.phase,
            message=model.message,
            revision=model.revision,
            started_at=model.started_at,
            finished_at=model.finished_at,
        )


@strawberry.type(description="What the delivery said last of one environment.")
class EnvironmentStatus(Node):
    """UNKNOWN where nothing was observed."""

    sync: SyncStatus
    health: HealthStatus
    message: str | None = strawberry.field(description="What is wrong, in the words of the delivery.")
    revision: str | None = strawberry.field(description="What was compared with the cluster; not always a SHA.")
    operation: Operation | None
    resources: list[ResourceStatus] = strawberry.field(description="The objects of the environment.")
    observed_at: datetime | None = strawberry.field(description="When the delivery said so; null: it never did.")
    stale: bool = strawberry.field(description="Not heard for longer than it should, or Redis is away.")
    project_name: strawberry.Private[str]

    @field("The commit that `revision` names, if it is one of this history.")
    async def commit(self, info: Info) -> Commit | None:
        """Loaded when asked for."""
        return await commits.load(info, self.project_name, self.revision)

    @classmethod
    def of(cls, project: str, environment: str, view: StatusView) -> Self:
        """From the last observation, or its absence."""
        seen = view.observation
        return cls(
            id=node_id("EnvironmentStatus", project, environment),
            sync=seen.sync if seen else SyncStatus.UNKNOWN,
            health=seen.health if seen else HealthStatus.UNKNOWN,
            message=seen.message if seen else "Nothing was observed of this environment yet.",
            revision=seen.revision if seen else None,
            operation=Operation.of(seen.operation) if seen and seen.operation else None,
            resources=[ResourceStatus.of(resource) for resource in seen.resources] if seen else [],
            observed_at=seen.observed_at if seen else None,
            stale=view.stale,
            project_name=project,
        )


@strawberry.type(description="One item of environmentStatus.")
class EnvironmentStatusEvent(streams.Item):
    """The status as it was then."""

    project_name: strawberry.Private[str]
    environment_name: strawberry.Private[str]
    view: strawberry.Private[StatusView]

    @strawberry.field
    def status(self) -> EnvironmentStatus:
        """Made once for all who are told the same."""
        return EnvironmentStatus.of(self.project_name, self.environment_name, self.view)

    @field("The environment as it is now.")
    async def environment(self, info: Info) -> Environment:
        """Loaded when asked for."""
        return await environments.require(info, self.project_name, self.environment_name)


@strawberry.type
class StatusSubscription:
    """Root fields."""

    @stream("Every change of an environment's status.", scope="project")
    async def environment_status(
        self, info: Info, project: str, environment: str, after: str | None = strawberry.UNSET
    ) -> AsyncIterator[EnvironmentStatusEvent]:
        """See the contract."""
        await environments.require(info, project, environment)

        def wanted(event: Event) -> bool:
            return event.kind is EventKind.STATUS and event.environment == environment

        async for moment in streams.moments(info, after, wanted, project):
            yield EnvironmentStatusEvent(
                **moment.item("environmentStatus"),
                project_name=project,
                environment_name=environment,
                view=await _view(info, moment, project, environment),
            )


async def _view(info: Info, moment: streams.Moment, project: str, environment: str) -> StatusView:
    """The status as it was at the moment."""
    if moment.event is not None and moment.event.status is not None:
        return StatusView(moment.event.status, stale=False)
    return (await call(statuses_of, info.context.ports, [(project, environment)]))[0]
