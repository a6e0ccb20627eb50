"""The delivery: asked to look again."""

import strawberry

from api.graphql.context import Info
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import Asked, admitted
from api.graphql.problems import JobResult
from gitops.operations.delivery import SyncEnvironment


@strawberry.input
class SyncEnvironmentInput(Asked):
    """See gitops.operations.delivery."""

    project: str
    environment: str

    def change(self) -> SyncEnvironment:
        """As an operation."""
        return SyncEnvironment(self.project, self.environment)


@strawberry.type
class DeliveryMutation:
    """Root fields."""

    @mutation("Ask the delivery again, e.g. after a failed sync.")
    async def sync_environment(self, info: Info, input: SyncEnvironmentInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "syncEnvironment", input, input.change())
