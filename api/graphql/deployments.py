"""Deployments: an image put somewhere by a commit; derived from Git."""

from dataclasses import replace
from datetime import datetime
from typing import Self

import strawberry

from api.graphql import commits, environments, jobs, projects, rollouts
from api.graphql.connections import Connection, page_size
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.given import or_none, parsed
from api.graphql.images import Image
from api.graphql.later import Commit, Environment, Job, Project, Rollout
from api.graphql.nodes import Node, node_id
from api.graphql.people import Person
from api.reading import leads
from api.reading.commits import deployment
from api.threads import call
from gitops.commits import CommitRecord, DeploymentRecord
from gitops.names import ServiceName


@strawberry.type(description="One service, one environment, one commit.")
class Deployment(Node):
    """See gitops.commits.DeploymentRecord."""

    project_name: strawberry.Private[str]
    record: strawberry.Private[DeploymentRecord]
    environment_name: str
    service_name: str
    image: Image
    previous_image: Image | None = strawberry.field(description="What stood there before; null: nothing.")
    actor: Person = strawberry.field(description="The author of the commit.")
    deployed_at: datetime = strawberry.field(description="When the commit was made.")
    current: bool = strawberry.field(description="No later commit changed this service's image here.")

    @field("The project.")
    async def project(self, info: Info) -> Project:
        """Loaded when asked for."""
        return await projects.require(info, self.project_name)

    @field("The environment; null when it is gone.")
    async def environment(self, info: Info) -> Environment | None:
        """Loaded when asked for."""
        return await environments.load(info, self.project_name, self.environment_name)

    @field("The commit.")
    def commit(self) -> Commit:
        """Known already."""
        return commits.Commit.of(self.project_name, self.record.commit)

    @field("What the cluster did with it.")
    async def rollout(self, info: Info) -> Rollout:
        """Loaded when asked for."""
        return await rollouts.load(info, (self.project_name, self.environment_name, self.record.commit.git.sha))

    @field("From the commit of the source that it was built from, through promotions; null where that is not known.")
    async def lead_time_seconds(self, info: Info) -> float | None:
        """Followed when asked for."""
        return await call(leads.lead_seconds, info.context.ports, self.project_name, self.record)

    @field("The job that made the commit.")
    async def job(self, info: Info) -> Job | None:
        """Loaded when asked for."""
        return await jobs.load(info, self.record.commit.job_id, self.project_name)

    @classmethod
    def of(cls, project: str, record: DeploymentRecord) -> Self:
        """From the index."""
        git = record.commit.git
        return cls(
            id=node_id("Deployment", project, record.environment, record.service, git.sha),
            project_name=project,
            record=record,
            environment_name=record.environment,
            service_name=record.service,
            image=Image.of(record.image),
            previous_image=Image.of(record.previous) if record.previous else None,
            actor=Person.of(git.author),
            deployed_at=git.committed_at,
            current=record.current,
        )

    @property
    def cursor(self) -> str:
        """As History.deployments takes it."""
        return f"{self.record.commit.git.sha}:{self.environment_name}:{self.service_name}"


@strawberry.type
class DeploymentConnection(Connection[Deployment]):
    """One page of deployments."""


async def page(
    info: Info, project: str, head: str, environment: str, service: str | None, first: int | None, after: str | None
) -> DeploymentConnection:
    """One page of an environment's deployments, newest first."""
    read = info.context.ports.history.deployments
    named = parsed(ServiceName.parse, service)
    found, more = await call(read, project, head, environment, named, page_size(first), or_none(after))
    nodes = [Deployment.of(project, record) for record in found]
    return DeploymentConnection.of(nodes, lambda node: node.cursor, has_next=more)


async def of_commit(info: Info, project: str, record: CommitRecord, environment: str | None = None) -> list[Deployment]:
    """What a commit deployed (in one environment)."""
    head = await info.context.load.head.load(project)
    current = await info.context.load.current.load((project, head.sha)) if head.sha else {}
    changes = [change for change in record.images if environment in {None, change.environment}]
    found = [deployment(record, change, current) for change in changes]
    return [Deployment.of(project, model) for model in found if model]


async def load(info: Info, project: str, environment: str, service: str, sha: str) -> Deployment | None:
    """The deployment of one service by one commit."""
    record = await info.context.load.commit.load((project, sha))
    found = await of_commit(info, project, record, environment) if record else []
    return next((one for one in found if one.service_name == service), None)


async def standing(info: Info, project: str, head: str, environment: str, service: str) -> Deployment | None:
    """The deployment that put the image there that stands at `head`, which may be of the past."""
    place = environment, service
    record = (await info.context.load.current.load((project, head))).get(place)
    newest = (await info.context.load.head.load(project)).sha
    if record is not None and newest not in {None, head}:
        now = (await info.context.load.current.load((project, newest))).get(place)
        record = replace(record, current=now is not None and now.commit.git.sha == record.commit.git.sha)
    return Deployment.of(project, record) if record else None
