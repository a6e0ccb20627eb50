"""Environments: one place each where a project runs."""

from datetime import UTC, datetime
from typing import Self

import strawberry

from api.graphql import commits, deployed, deployments, points, problems, projects, resource_trees, statuses
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.guards import query
from api.graphql.holds import Hold
from api.graphql.later import (
    CommitConnection,
    CommitFilter,
    DeployedService,
    DeploymentConnection,
    EnvironmentStatus,
    InvalidRepository,
    Project,
    ResourceNode,
)
from api.graphql.nodes import Node, node_id
from api.graphql.points import BlameLine, EnvironmentSnapshot, PointInput
from api.reading.repositories import Place, place_of
from gitops.names import EnvironmentName, ServiceName, namespace
from gitops.problems import NotFound, Refused


@strawberry.type(description="One place where a project runs: one folder, one namespace.")
class Environment(Node):
    """See gitops.repository."""

    place: strawberry.Private[Place]
    name: str
    namespace: str = strawberry.field(description="In Kubernetes: <project>-<name>.")
    ephemeral: bool = strawberry.field(
        description="A preview: it may have an end, and is deleted without a confirmation."
    )
    created_from: str | None = strawberry.field(description="The environment that it was copied from.")
    expires_at: datetime | None = strawberry.field(description="When it is deleted by itself.")
    problems: list[InvalidRepository] = strawberry.field(
        description="What in its files, or in base/values.yaml, cannot be read."
    )
    values_text: str | None = strawberry.field(description="environments/<name>/values.yaml, byte for byte.")

    @field("The project.")
    async def project(self, info: Info) -> Project:
        """Loaded when asked for."""
        return await projects.require(info, self.place.project)

    @field("What is deployed here; null when the values cannot be read.")
    def services(self) -> list[DeployedService] | None:
        """Merged already."""
        found = self.place.environment.services
        return None if found is None else [deployed.DeployedService.of(self.place, service) for service in found]

    @field("One service that is deployed here.")
    def service(self, name: str) -> DeployedService | None:
        """Null when it is not."""
        return self.find_service(ServiceName.parse(name))

    @field("What the delivery said last.")
    async def status(self, info: Info) -> EnvironmentStatus:
        """Loaded when asked for."""
        view = await info.context.load.status.load((self.place.project, self.name))
        return statuses.EnvironmentStatus.of(self.place.project, self.name, view)

    @field("Commits that changed its folder or base/, newest first.")
    async def commits(
        self,
        info: Info,
        filter: CommitFilter | None = strawberry.UNSET,  # noqa: A002 - the contract's name
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
    ) -> CommitConnection | None:
        """One page."""
        where = commits.within(filter, self.name)
        return await commits.page(info, self.place.project, self.place.sha, where, first, after)

    @field("Images put here, newest first.")
    async def deployments(
        self,
        info: Info,
        service: str | None = strawberry.UNSET,
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
    ) -> DeploymentConnection | None:
        """One page."""
        place = self.place
        return await deployments.page(info, place.project, place.sha, self.name, service, first, after)

    @field("The environment as it was at a revision or a time; null where it was not, or could not be read.")
    async def at(self, info: Info, point: PointInput) -> EnvironmentSnapshot | None:
        """Read when asked for."""
        return await points.at(info, self.place, point)

    @field("Who wrote the lines of a key in its values.yaml; null when it has no such key.")
    async def blame(self, info: Info, key: str) -> list[BlameLine] | None:
        """Read when asked for."""
        return await points.blame(info, self.place, key)

    @field("What stops automation here now.")
    def holds(self) -> list[Hold]:
        """Those that count still."""
        now = datetime.now(UTC)
        return [Hold.of(hold) for hold in self.place.environment.holds if hold.stands(now)]

    @field("Its objects as the delivery shows them now; null when the delivery does not answer.")
    async def resource_tree(self, info: Info) -> list[ResourceNode] | None:
        """Read when asked for."""
        found = await info.context.trees.now(self.place.project, self.name)
        return None if found is None else [resource_trees.ResourceNode.of(node) for node in found]

    def find_service(self, name: str) -> DeployedService | None:
        """One service that is deployed here; None when it is not."""
        found = self.place.environment.service(name)
        return deployed.DeployedService.of(self.place, found) if found else None

    @classmethod
    def of(cls, place: Place) -> Self:
        """From the repository."""
        model = place.environment
        return cls(
            id=node_id("Environment", place.project, model.name),
            place=place,
            name=model.name,
            namespace=namespace(place.project, model.name),
            ephemeral=model.ephemeral,
            created_from=model.created_from,
            expires_at=model.expires_at,
            problems=[problems.InvalidRepository.of(problem) for problem in model.problems],
            values_text=model.values_text,
        )


@strawberry.type
class EnvironmentQuery:
    """Root fields."""

    @query("An environment by its names.", scope="project")
    async def environment(self, info: Info, project: str, name: str) -> Environment | None:
        """See the contract."""
        projects.parse_name(project)
        return await load(info, project, EnvironmentName.parse(name))


async def load(info: Info, project: str, name: str | None) -> Environment | None:
    """One environment, in a batch with others; None when there is none."""
    head = await info.context.load.head.load(project)
    if name is None or head.sha is None:
        return None
    view = await info.context.load.view.load((project, head.sha))
    place = place_of(project, head.sha, view, name)
    return Environment.of(place) if place else None


async def require(info: Info, project: str, name: str) -> Environment:
    """One environment. Raises Refused: InvalidInput for a malformed name, NotFound."""
    projects.parse_name(project)
    found = await load(info, project, EnvironmentName.parse(name))
    if found is None:
        message = f"Project {project} has no environment {name}: create it first, or check the name."
        raise Refused(NotFound(message, "environment", name))
    return found
