"""Projects: what Git says of them, and the pages that begin there."""

from datetime import datetime
from typing import Self

import strawberry

from api.graphql import commits, deployed, environments, jobs, problems
from api.graphql.connections import Connection, page_size
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.given import or_none
from api.graphql.guards import query
from api.graphql.later import (
    Commit,
    CommitConnection,
    CommitFilter,
    DeployedService,
    Environment,
    InvalidRepository,
    Job,
    JobConnection,
    JobFilter,
)
from api.graphql.nodes import Node, node_id
from api.graphql.project_secrets import ProjectSecret
from api.graphql.services import Service
from api.reading import projects as reading
from api.reading.commits import head_commit
from api.reading.project_secrets import secrets_of
from api.reading.repositories import place_of, places_of
from api.threads import call
from gitops.changes import JobKind
from gitops.names import EnvironmentName, ProjectName, Revision, ServiceName
from gitops.problems import NotFound, Refused
from gitops.repository import Repository
from jobs.heads import Head


@strawberry.type(description="A service in every environment.")
class MatrixRow:
    """One row of a dashboard's first page."""

    service: Service
    cells: list[DeployedService | None] = strawberry.field(
        description="In the order of Project.environments; null: not deployed there."
    )


@strawberry.type(description="One product; it has exactly one GitOps repository.")
class Project(Node):
    """Everything is read at one head."""

    sha: strawberry.Private[str]
    name: str
    clone_url: str = strawberry.field(description="Any user name, a Lucity token as password.")
    stale: bool = strawberry.field(description="The Git host could not be asked; this is the mirror's last knowledge.")

    @field("When its first commit was made.")
    async def created_at(self, info: Info) -> datetime | None:
        """Read when asked for."""
        return await call(reading.created_at, info.context.ports, self.name, self.sha)

    @field("The commit that all of this is read at.")
    async def head(self, info: Info) -> Commit | None:
        """Loaded when asked for."""
        found = await commits.load(info, self.name, self.sha)
        if found is not None:
            return found
        record = await call(head_commit, info.context.ports, self.name, self.sha)
        return commits.Commit.of(self.name, record) if record else None

    @field("What in the repository cannot be read, with file and line.")
    async def problems(self, info: Info) -> list[InvalidRepository]:
        """Loaded when asked for."""
        return [problems.InvalidRepository.of(problem) for problem in (await self._view(info)).problems]

    @field("The services of base/values.yaml; null when it cannot be read.")
    async def services(self, info: Info) -> list[Service] | None:
        """Loaded when asked for."""
        found = (await self._view(info)).services
        return None if found is None else [Service.of(self.name, service) for service in found]

    @field("One service.")
    async def service(self, info: Info, name: str) -> Service | None:
        """Loaded when asked for."""
        return await self.find_service(info, ServiceName.parse(name))

    @field("The environments, in the order of their names.")
    async def environments(self, info: Info) -> list[Environment] | None:
        """Loaded when asked for."""
        places = places_of(self.name, self.sha, await self._view(info))
        return [environments.Environment.of(place) for place in places]

    @field("One environment.")
    async def environment(self, info: Info, name: str) -> Environment | None:
        """Loaded when asked for."""
        EnvironmentName.parse(name)
        place = place_of(self.name, self.sha, await self._view(info), name)
        return environments.Environment.of(place) if place else None

    @field("Deletions of environments that are under way.")
    async def environments_being_deleted(self, info: Info) -> list[Job]:
        """Loaded when asked for."""
        unfinished = await info.context.load.unfinished.load(self.name)
        return [jobs.Job.of(job) for job in unfinished or () if job.kind is JobKind.ENVIRONMENT_DELETE]

    @field("Which secrets of its own it has; null when they cannot be asked for.")
    async def secrets(self, info: Info) -> list[ProjectSecret] | None:
        """Read when asked for."""
        found = await call(secrets_of, info.context.ports, self.name)
        return None if found is None else [ProjectSecret.of(secret) for secret in found]

    @field("Service by environment in one answer.")
    async def matrix(self, info: Info) -> list[MatrixRow] | None:
        """Loaded when asked for."""
        view = await self._view(info)
        places = places_of(self.name, self.sha, view)
        if view.services is None:
            return None
        cells = [
            {one.name: deployed.DeployedService.of(place, one) for one in place.environment.services or () if one.image}
            for place in places
        ]
        return [
            MatrixRow(service=Service.of(self.name, service), cells=[column.get(service.name) for column in cells])
            for service in view.services
        ]

    @field("The first-parent history, newest first.")
    async def commits(
        self,
        info: Info,
        filter: CommitFilter | None = strawberry.UNSET,  # noqa: A002 - the contract's name
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
    ) -> CommitConnection | None:
        """One page."""
        return await commits.page(info, self.name, self.sha, commits.parse(filter), first, after)

    @field("One commit by its full or unique short SHA.")
    async def commit(self, info: Info, revision: str) -> Commit | None:
        """Loaded when asked for."""
        return await commits.load(info, self.name, Revision.parse(revision))

    @field("The project's jobs, newest first; null when Redis is away.")
    async def jobs(
        self,
        info: Info,
        filter: JobFilter | None = strawberry.UNSET,  # noqa: A002 - the contract's name
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
    ) -> JobConnection | None:
        """One page."""
        return await jobs.page_of_project(info, self.name, filter, first, after)

    async def find_service(self, info: Info, name: str) -> Service | None:
        """One service; None when there is none."""
        found = (await self._view(info)).service(name)
        return Service.of(self.name, found) if found else None

    async def _view(self, info: Info) -> Repository:
        return await info.context.load.view.load((self.name, self.sha))

    @classmethod
    def of(cls, info: Info, name: str, head: Head) -> Self:
        """At its head, which is there."""
        return cls(
            id=node_id("Project", name),
            sha=head.sha or "",
            name=name,
            clone_url=f"{info.context.ports.settings.origin}/git/gitops/{name}.git",
            stale=head.stale,
        )


@strawberry.type
class ProjectConnection(Connection[Project]):
    """One page of projects."""


@strawberry.type
class ProjectQuery:
    """Root fields."""

    @query("A project by its name.", scope="name")
    async def project(self, info: Info, name: str) -> Project | None:
        """See the contract."""
        return await load(info, parse_name(name))

    @query("All projects, in the order of their names.")
    async def projects(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
        name_contains: str | None = strawberry.UNSET,
    ) -> ProjectConnection:
        """See the contract."""
        size, context = page_size(first), info.context
        read = reading.page
        page = await call(read, context.ports, context.flights, size, or_none(after), or_none(name_contains))
        nodes = [Project.of(info, name, head) for name, head in page.projects]
        return ProjectConnection.of(nodes, lambda node: reading.cursor(node.name), has_next=page.has_next)


def parse_name(name: str) -> str:
    """A project's name. Raises Refused(InvalidInput) for a malformed one; a reserved one merely does not exist."""
    return name if ProjectName.reserved(name) else ProjectName.parse(name)


async def load(info: Info, name: str) -> Project | None:
    """One project, in a batch with others; None when there is none."""
    head = await info.context.load.head.load(name)
    return Project.of(info, name, head) if head.sha else None


async def require(info: Info, name: str) -> Project:
    """One project. Raises Refused: InvalidInput for a malformed name, NotFound."""
    found = await load(info, parse_name(name))
    if found is None:
        raise Refused(NotFound(f"There is no project {name}: create it first, or check the name.", "project", name))
    return found
