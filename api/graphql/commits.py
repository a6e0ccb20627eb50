"""Commits: who, when, why, what they did, and what became of them."""

from dataclasses import replace
from datetime import datetime
from typing import Self

import strawberry

from api.graphql import jobs, rollouts
from api.graphql.changes import ValueChange
from api.graphql.connections import Connection, page_size
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.given import or_none, parsed
from api.graphql.later import EnvironmentRollout, Job
from api.graphql.nodes import Node, node_id
from api.graphql.people import Person
from api.reading import differences
from api.threads import call
from gitops import messages
from gitops.commits import CommitFilter as Where
from gitops.commits import CommitKind, CommitRecord, SignatureState
from gitops.names import EnvironmentName, Revision, ServiceName, short
from gitops.problems import NotFound, Refused, invalid


@strawberry.type(description="One line at the end of a commit message.")
class Trailer:
    """In Git's own format."""

    key: str
    value: str


@strawberry.type(description="Who signed a commit, as far as Lucity knows the key.")
class Signature:
    """See gitops.commits."""

    state: SignatureState
    key: str | None = strawberry.field(description="Its SHA256 fingerprint, as ssh-keygen prints it.")


@strawberry.type(description="A commit, and what it did: told by the values that it changed, not by what it says.")
class Commit(Node):
    """See gitops.commits.CommitRecord."""

    project_name: strawberry.Private[str]
    record: strawberry.Private[CommitRecord]
    sha: str
    short_sha: str
    subject: str
    message: str
    kind: CommitKind = strawberry.field(description="EXTERNAL unless Lucity signed it.")
    environment_names: list[str] = strawberry.field(
        description="Whose folder it changed; all that there are when it changed base/."
    )
    service_names: list[str] = strawberry.field(description="Whose values it changed, in base/ or in an environment.")
    author: Person
    committer: Person
    authored_at: datetime
    committed_at: datetime
    signature: Signature
    parents: list[str] = strawberry.field(description="Full SHAs; the first one comes before it in this history.")

    @field("The last lines of the message, as far as they are trailers.")
    def trailers(self) -> list[Trailer]:
        """Parsed when asked for."""
        return [Trailer(key=key, value=value) for key, value in messages.parse(self.message).trailers]

    @field("Value by value.")
    async def changes(self, info: Info) -> list[ValueChange]:
        """Compared with the first parent."""
        found = await call(differences.changes, info.context.ports.repositories, self.project_name, self.record.git)
        return [ValueChange.of(change) for change in found]

    @field("Unified text of the whole commit.")
    async def diff(self, info: Info) -> str:
        """Compared with the first parent."""
        return await call(differences.text, info.context.ports.repositories, self.project_name, self.record.git)

    @field("Its fate in every environment that it touched.")
    def rollouts(self) -> list[EnvironmentRollout]:
        """Loaded when asked for."""
        return [
            rollouts.EnvironmentRollout(environment_name=name, project_name=self.project_name, sha=self.sha)
            for name in self.environment_names
        ]

    @field("The job that made it.")
    async def job(self, info: Info) -> Job | None:
        """Its record, or what the commit itself tells."""
        return await jobs.load(info, self.record.job_id, self.project_name)

    @classmethod
    def of(cls, project: str, record: CommitRecord) -> Self:
        """From the index."""
        git = record.git
        return cls(
            id=node_id("Commit", project, git.sha),
            project_name=project,
            record=record,
            sha=git.sha,
            short_sha=short(git.sha),
            subject=git.subject,
            message=git.message,
            kind=record.kind,
            environment_names=list(record.environments),
            service_names=list(record.services),
            author=Person.of(git.author),
            committer=Person.of(git.committer),
            authored_at=git.authored_at,
            committed_at=git.committed_at,
            signature=Signature(state=git.signature.state, key=git.signature.key),
            parents=list(git.parents),
        )


@strawberry.type
class CommitConnection(Connection[Commit]):
    """One page of commits."""


@strawberry.input(description="All that is given must hold.")
class CommitFilter:
    """See gitops.commits.CommitFilter."""

    kinds: list[CommitKind] | None = strawberry.field(default=strawberry.UNSET, description="None named: any.")
    environment: str | None = strawberry.field(
        default=strawberry.UNSET, description="That the commit changed: its folder, or base/."
    )
    service: str | None = strawberry.field(default=strawberry.UNSET, description="Whose values the commit changed.")
    author: str | None = strawberry.field(
        default=strawberry.UNSET, description="A part of name or e-mail, in any case."
    )
    since: datetime | None = strawberry.field(default=strawberry.UNSET, description="Committed then or later.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Committed then or earlier.")
    path: str | None = strawberry.field(
        default=strawberry.UNSET, description="A file or folder that the commit changed."
    )
    text: str | None = strawberry.field(default=strawberry.UNSET, description="A part of the message, in any case.")

    def parse(self) -> Where:
        """As the index takes it."""
        return Where(
            kinds=tuple(or_none(self.kinds) or ()),
            environment=parsed(EnvironmentName.parse, self.environment),
            service=parsed(ServiceName.parse, self.service),
            author=or_none(self.author),
            since=or_none(self.since),
            until=or_none(self.until),
            path=or_none(self.path),
            text=or_none(self.text),
        )


def parse(filter_: CommitFilter | None) -> Where:
    """A filter, or none."""
    given = or_none(filter_)
    return given.parse() if given else Where()


def within(filter_: CommitFilter | None, environment: str) -> Where:
    """A filter below an environment. Raises Refused(InvalidInput) when it names another one."""
    where = parse(filter_)
    if where.environment not in {None, environment}:
        raise invalid("filter.environment", f"These are the commits of environment {environment}: ask for no other.")
    return replace(where, environment=environment)


async def page(
    info: Info, project: str, head: str, where: Where, first: int | None, after: str | None
) -> CommitConnection:
    """One page of a history, newest first; a commit's cursor is its SHA."""
    history = info.context.ports.history
    found, more = await call(history.commits, project, head, where, page_size(first), or_none(after))
    nodes = [Commit.of(project, record) for record in found]
    return CommitConnection.of(nodes, lambda node: node.sha, has_next=more)


async def load(info: Info, project: str, revision: str | None) -> Commit | None:
    """One commit by SHA, in a batch with others; None for what is no SHA of this history."""
    if revision is None or Revision.PATTERN.fullmatch(revision) is None:
        return None
    record = await info.context.load.commit.load((project, revision))
    return Commit.of(project, record) if record else None


async def require(info: Info, project: str, revision: str) -> CommitRecord:
    """One commit. Raises Refused: InvalidInput for what can be no SHA, NotFound."""
    record = await info.context.load.commit.load((project, Revision.parse(revision)))
    if record is None:
        message = f"The history of project {project} has no commit {revision}: look it up with `commits`."
        raise Refused(NotFound(message, "commit", revision))
    return record
