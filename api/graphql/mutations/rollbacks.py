"""Rollbacks: an environment, or some of its services, as they stood before."""

import strawberry

from api.graphql import deployments
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted, override_of
from api.graphql.nodes import parse_node_id
from api.graphql.problems import JobResult
from api.threads import call
from gitops.names import Revision
from gitops.operations.rollbacks import Rollback, RollbackScope
from gitops.problems import NotFound, Refused, invalid
from jobs.revisions import find_commit

_ANY_COMMIT = "0" * 40
_DEPLOYMENT_PARTS = 4


@strawberry.input
class RollbackInput(AskedAt):
    """See gitops.operations.rollbacks."""

    project: str
    environment: str
    services: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="None named: the deployment's service, or all that had an image then."
    )
    to: str = strawberry.field(description="The id of a deployment, or a commit's full or unique short SHA.")
    scope: RollbackScope | None = strawberry.field(default=RollbackScope.IMAGE, description="How much goes back.")
    plan_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of a plan: refused (PlanStale) unless it would still come to exactly that.",
    )
    override: bool | None = strawberry.field(
        default=False, description="Pass closed gates; for people, and it needs a reason."
    )

    async def change(self, info: Info) -> Rollback:
        """As an operation. Raises Refused(InvalidInput), and NotFound for what it should go back to."""
        scope, names = self.scope or RollbackScope.IMAGE, tuple(or_none(self.services) or ())
        override = override_of(self)
        Rollback(self.project, self.environment, _ANY_COMMIT, names, scope).validate()
        sha, service = await self._goal(info)
        if service and not names and scope is not RollbackScope.ENVIRONMENT:
            names = (service,)
        return Rollback(self.project, self.environment, sha, names, scope, override, or_none(self.plan_token))

    async def _goal(self, info: Info) -> tuple[str, str | None]:
        """The commit to go back to, and the service if a deployment was named."""
        if Revision.PATTERN.fullmatch(self.to):
            return await call(find_commit, info.context.ports, self.project, self.to, "to"), None
        project, environment, service, sha = _deployment(self.to)
        if (project, environment) != (self.project, self.environment):
            message = (
                f"This is a deployment to {environment} of {project}, not to {self.environment} of {self.project}."
            )
            raise invalid("to", message)
        if await deployments.load(info, project, environment, service, sha) is None:
            raise Refused(NotFound("There is no such deployment (any more).", "deployment", self.to))
        return sha, service


@strawberry.type
class RollbackMutation:
    """Root fields."""

    @mutation("Put back what stood at an earlier commit, and hold it.")
    async def rollback(self, info: Info, input: RollbackInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "rollback", input, await input.change(info))


def _deployment(text: str) -> tuple[str, str, str, str]:
    """Project, environment, service and commit of a deployment's id. Raises Refused(InvalidInput)."""
    kind, rest = parse_node_id(text, "to")
    parts = rest.split(":")
    if kind != "Deployment" or len(parts) != _DEPLOYMENT_PARTS or not all(parts):
        raise invalid("to", f"{text[:60]!r} is neither a commit's SHA nor the id of a deployment.")
    project, environment, service, sha = parts
    return project, environment, service, sha
