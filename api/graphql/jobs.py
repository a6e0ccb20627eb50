"""Jobs: the record of one change being carried out."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Self

import strawberry

from adapters.job_fields import lane
from adapters.records import JobFilter as Where
from adapters.records import JobPage, JobRecord, JobState, Step
from api.graphql import commits, deployments, environments, problems, projects
from api.graphql.connections import Connection, page_size
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.given import or_none, parsed
from api.graphql.guards import query
from api.graphql.later import Commit, Deployment, Environment, Problem, Project
from api.graphql.logs import LogConnection
from api.graphql.nodes import JOB_PREFIX, Node
from api.graphql.people import Person
from api.reading import jobs as reading
from api.threads import call
from gitops.changes import JobKind
from gitops.names import EnvironmentName, ServiceName
from gitops.problems import invalid

LOG_PAGE = 100
_MEANING_ALL = {JobKind.PROMOTE, JobKind.ROLLBACK}
"""Kinds that are about all services when none is named."""
_ID = re.compile(rf"{JOB_PREFIX}[A-Za-z0-9]{{1,60}}")


@strawberry.type(description="One part of a job.")
class JobStep:
    """See adapters.records.Step."""

    name: str = strawberry.field(description="commit, application, namespace, refresh, source, build, push or deploy.")
    state: JobState
    message: str | None = strawberry.field(description="What it waits for or did.")
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, model: Step) -> Self:
        """From the record."""
        return cls(
            name=model.name,
            state=model.state,
            message=model.message,
            started_at=model.started_at,
            finished_at=model.finished_at,
        )


@strawberry.type(description="One change being carried out; its id is the commit's Job-Id.")
class Job(Node):
    """See adapters.records.JobRecord."""

    record: strawberry.Private[JobRecord]
    kind: JobKind
    state: JobState
    summary: str = strawberry.field(description="The commit subject, or what it will be.")
    project_name: str
    environment_name: str | None = strawberry.field(description="The first that it is about.")
    actor: Person
    reason: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int = strawberry.field(description="How often a worker has taken it up.")
    steps: list[JobStep] = strawberry.field(description="In their order, as far as it has come.")
    no_change: bool = strawberry.field(description="SUCCEEDED without a commit: the head already was as asked.")

    @field("The services that it names; when it named none and meant all, those that its commit changed.")
    async def service_names(self, info: Info) -> list[str]:
        """Known already, but for what only the commit tells."""
        sha = self.record.commit
        if self.record.services or sha is None or self.kind not in _MEANING_ALL:
            return list(self.record.services)
        found = await info.context.load.commit.load((self.project_name, sha))
        return list(found.services) if found else []

    @field("The project; null when there is none (yet).")
    async def project(self, info: Info) -> Project | None:
        """Loaded when asked for."""
        return await projects.load(info, self.project_name)

    @field("The environment; null when there is none (yet), or the job is about none.")
    async def environment(self, info: Info) -> Environment | None:
        """Loaded when asked for."""
        return await environments.load(info, self.project_name, self.environment_name)

    @field("How many unfinished jobs of the project stand before it; null once it has begun.")
    async def queue_position(self, info: Info) -> int | None:
        """Loaded when asked for."""
        if self.state is not JobState.QUEUED:
            return None
        unfinished = await info.context.load.unfinished.load(self.project_name)
        ids = [job.id for job in unfinished or () if lane(job) == lane(self.record)]
        return ids.index(self.record.id) if self.record.id in ids else None

    @field("What it became.")
    async def commit(self, info: Info) -> Commit | None:
        """Loaded when asked for."""
        return await commits.load(info, self.project_name, self.record.commit)

    @field("What its commit deployed.")
    async def deployments(self, info: Info) -> list[Deployment]:
        """Loaded when asked for."""
        sha = self.record.commit
        found = await info.context.load.commit.load((self.project_name, sha)) if sha else None
        return await deployments.of_commit(info, self.project_name, found) if found else []

    @field("What ended it.")
    def error(self) -> Problem | None:
        """Known already."""
        return problems.of(self.record.problem) if self.record.problem else None

    @field("The job that this one tries again.")
    async def retry_of(self, info: Info) -> "Job | None":
        """Loaded when asked for."""
        return await load(info, self.record.retry_of, self.project_name)

    @field("The newer job that made this one needless; builds only.")
    async def superseded_by(self, info: Info) -> "Job | None":
        """Loaded when asked for."""
        return await load(info, self.record.superseded_by, self.project_name)

    @field("What it said, oldest first.")
    async def log(
        self, info: Info, first: int | None = LOG_PAGE, after: str | None = strawberry.UNSET
    ) -> LogConnection:
        """Read when asked for."""
        size = page_size(first, LOG_PAGE)
        return LogConnection.of(await call(info.context.ports.events.log, self.record.id, size, or_none(after)))

    @classmethod
    def of(cls, record: JobRecord) -> Self:
        """From the ledger, or from an event."""
        return cls(
            id=strawberry.ID(record.id),
            record=record,
            kind=record.kind,
            state=record.state,
            summary=record.summary,
            project_name=record.project,
            environment_name=record.environments[0] if record.environments else None,
            actor=Person.of(record.actor),
            reason=record.reason,
            created_at=record.created_at,
            started_at=record.started_at,
            finished_at=record.finished_at,
            attempts=record.attempts,
            steps=[JobStep.of(step) for step in record.steps],
            no_change=record.no_change,
        )


@strawberry.type
class JobConnection(Connection[Job]):
    """One page of jobs."""


@strawberry.input(description="All that is given must hold.")
class JobFilter:
    """See adapters.records.JobFilter."""

    states: list[JobState] | None = strawberry.field(default=strawberry.UNSET, description="None named: any.")
    kinds: list[JobKind] | None = strawberry.field(default=strawberry.UNSET, description="None named: any.")
    project: str | None = strawberry.UNSET
    environment: str | None = strawberry.UNSET
    service: str | None = strawberry.UNSET
    actor: str | None = strawberry.field(default=strawberry.UNSET, description="A part of name or e-mail, in any case.")

    def parse(self) -> Where:
        """As the ledger takes it."""
        return Where(
            states=tuple(or_none(self.states) or ()),
            kinds=tuple(or_none(self.kinds) or ()),
            project=parsed(projects.parse_name, self.project),
            environment=parsed(EnvironmentName.parse, self.environment),
            service=parsed(ServiceName.parse, self.service),
            actor=or_none(self.actor),
        )


@strawberry.type
class JobQuery:
    """Root fields."""

    @query("A job by its id; without a record, what the commit tells that carries it.")
    async def job(self, info: Info, id: strawberry.ID) -> Job | None:  # noqa: A002 - the contract's name
        """See the contract."""
        return await load(info, parse_id(id))

    @query("Jobs of all projects, newest first.")
    async def jobs(
        self,
        info: Info,
        filter: JobFilter | None = strawberry.UNSET,  # noqa: A002 - the contract's name
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
    ) -> JobConnection:
        """See the contract."""
        return await page(info, parse(filter), first, after)


def parse_id(text: str) -> str:
    """A job's id. Raises Refused(InvalidInput) for what can be none."""
    if _ID.fullmatch(text) is None:
        raise invalid("id", f"{text[:60]!r} is no job id: those are {JOB_PREFIX} and letters and digits.")
    return text


def parse(filter_: JobFilter | None) -> Where:
    """A filter, or none."""
    given = or_none(filter_)
    return given.parse() if given else Where()


async def page(info: Info, where: Where, first: int | None, after: str | None) -> JobConnection:
    """One page of jobs, newest first; a job's cursor is its id. Raises Unreachable('redis')."""
    found = await call(info.context.ports.ledger.page, where, page_size(first), or_none(after))
    return _connection(found)


async def page_of_project(
    info: Info, project: str, filter_: JobFilter | None, first: int | None, after: str | None
) -> JobConnection | None:
    """One page of a project's jobs; None when Redis is away."""
    asked, size = parse(filter_), page_size(first)
    if asked.project not in {None, project}:
        raise invalid("filter.project", f"These are the jobs of project {project}: ask for no other.")
    where = replace(asked, project=project)
    found = await call(reading.page_of_project, info.context.ports, where, size, or_none(after))
    return _connection(found) if found else None


def _connection(found: JobPage) -> JobConnection:
    return JobConnection.of([Job.of(record) for record in found.jobs], lambda node: node.id, has_next=found.has_next)


async def load(info: Info, job_id: str | None, project: str | None = None) -> Job | None:
    """One job, in a batch with others."""
    record = await info.context.load.job.load((job_id, project)) if job_id else None
    return Job.of(record) if record else None
