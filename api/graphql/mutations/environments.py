"""Environments: made, extended and deleted."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import Asked, AskedAt, admitted
from api.graphql.problems import JobResult
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.extensions import ExtendEnvironment


@strawberry.input
class CreateEnvironmentInput(AskedAt):
    """See gitops.operations.environments."""

    project: str
    name: str
    from_: str | None = strawberry.field(name="from", default=strawberry.UNSET, description="Copied from this one.")
    ephemeral: bool | None = strawberry.field(
        default=False, description="A preview: it may have an end, and is deleted without a confirmation."
    )
    ttl_seconds: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Seconds until an ephemeral one is deleted, counted from the commit; none: it stays.",
    )

    def change(self) -> CreateEnvironment:
        """As an operation."""
        return CreateEnvironment(
            self.project, self.name, or_none(self.from_), bool(self.ephemeral), or_none(self.ttl_seconds)
        )


@strawberry.input
class DeleteEnvironmentInput(AskedAt):
    """See gitops.operations.environments."""

    project: str
    name: str
    confirm: str | None = strawberry.field(
        default=strawberry.UNSET, description="Repeats the name; needed unless the environment is ephemeral."
    )

    def change(self) -> DeleteEnvironment:
        """As an operation."""
        return DeleteEnvironment(self.project, self.name, or_none(self.confirm))


@strawberry.input
class ExtendEnvironmentInput(Asked):
    """See gitops.operations.extensions."""

    project: str
    environment: str
    ttl_seconds: int = strawberry.field(description="Counted from the commit.")

    def change(self) -> ExtendEnvironment:
        """As an operation."""
        return ExtendEnvironment(self.project, self.environment, self.ttl_seconds)


@strawberry.type
class EnvironmentMutation:
    """Root fields."""

    @mutation("A new environment, empty or copied.")
    async def create_environment(self, info: Info, input: CreateEnvironmentInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "createEnvironment", input, input.change())

    @mutation("The end of an environment and of all that runs there.")
    async def delete_environment(self, info: Info, input: DeleteEnvironmentInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "deleteEnvironment", input, input.change())

    @mutation("Another end of an ephemeral environment.")
    async def extend_environment(self, info: Info, input: ExtendEnvironmentInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "extendEnvironment", input, input.change())
