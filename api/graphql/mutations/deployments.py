"""Deployments: images put into environments, carried from one to another, started anew."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted, override_of
from api.graphql.problems import JobResult
from gitops.operations.deployments import Deploy, Restart, ServiceImage
from gitops.operations.promotions import Promote


@strawberry.input
class ServiceImageInput:
    """Which image of a service."""

    service: str
    tag: str
    digest: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="sha256:…; none: what the tag stands for is looked up where the registry can be asked.",
    )


@strawberry.input
class DeployInput(AskedAt):
    """See gitops.operations.deployments."""

    project: str
    environment: str
    services: list[ServiceImageInput] = strawberry.field(description="One commit for all of them.")
    override: bool | None = strawberry.field(
        default=False, description="Pass closed gates; for people, and it needs a reason."
    )

    def change(self) -> Deploy:
        """As an operation. Raises Refused(InvalidInput)."""
        images = (ServiceImage(one.service, one.tag, or_none(one.digest)) for one in self.services)
        return Deploy(self.project, self.environment, tuple(images), override_of(self))


@strawberry.input
class PromoteInput(AskedAt):
    """See gitops.operations.promotions."""

    project: str
    from_: str = strawberry.field(name="from")
    to: str
    services: list[str] | None = strawberry.field(default=strawberry.UNSET, description="None named: all.")
    include: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description='Further keys of the services that travel, e.g. ["resources"].'
    )
    plan_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of a plan: refused (PlanStale) unless it would still come to exactly that.",
    )
    override: bool | None = strawberry.field(
        default=False, description="Pass closed gates; for people, and it needs a reason."
    )

    def change(self) -> Promote:
        """As an operation. Raises Refused(InvalidInput)."""
        names, include = or_none(self.services) or (), or_none(self.include) or ()
        return Promote(
            self.project, self.from_, self.to, tuple(names), tuple(include), override_of(self), or_none(self.plan_token)
        )


@strawberry.input
class RestartInput(AskedAt):
    """See gitops.operations.deployments."""

    project: str
    environment: str
    services: list[str] = strawberry.field(description="One at least.")

    def change(self) -> Restart:
        """As an operation."""
        return Restart(self.project, self.environment, tuple(self.services))


@strawberry.type
class DeploymentMutation:
    """Root fields."""

    @mutation("Put images into an environment.")
    async def deploy(self, info: Info, input: DeployInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "deploy", input, input.change())

    @mutation("Run in one environment what runs in another.")
    async def promote(self, info: Info, input: PromoteInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "promote", input, input.change())

    @mutation("Start the pods of services anew.")
    async def restart(self, info: Info, input: RestartInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "restart", input, input.change())
