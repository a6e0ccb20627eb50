"""Reverts: what one commit did, taken back."""

from functools import partial

import strawberry

from api.graphql.context import Info
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted, override_of
from api.graphql.problems import JobResult
from api.threads import call
from gitops.operations.reverts import Revert
from jobs.reverts import revert_of


@strawberry.input
class RevertInput(AskedAt):
    """See gitops.operations.reverts."""

    project: str
    commit: str = strawberry.field(description="A full or unique short SHA of the project's history.")
    override: bool | None = strawberry.field(
        default=False, description="Pass closed gates; for people, and it needs a reason."
    )

    async def change(self, info: Info) -> Revert:
        """As an operation. Raises Refused(InvalidInput), and NotFound for the commit."""
        ports, override = info.context.ports, override_of(self)
        return await call(partial(revert_of, ports, self.project, self.commit, override=override))


@strawberry.type
class RevertMutation:
    """Root fields."""

    @mutation("Put back what a commit changed, where it still stands.")
    async def revert(self, info: Info, input: RevertInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "revert", input, await input.change(info))
