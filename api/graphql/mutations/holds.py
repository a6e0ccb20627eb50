"""Holds: set and released."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted
from api.graphql.problems import JobResult
from gitops.operations.holds import ReleaseHold, SetHold
from gitops.problems import invalid


@strawberry.input
class HoldInput(AskedAt):
    """See gitops.operations.holds."""

    project: str
    environment: str
    services: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="None named: the whole environment."
    )
    expires_in_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="Seconds, counted from the commit; none: until it is released."
    )
    reason: str = strawberry.field(description="What the hold waits for.")

    def change(self) -> SetHold:
        """As an operation. Raises Refused(InvalidInput)."""
        if not self.reason.strip():
            raise invalid("reason", "A hold needs a reason: say what it waits for.")
        names = tuple(or_none(self.services) or ())
        return SetHold(self.project, self.environment, names, or_none(self.expires_in_seconds))


@strawberry.input
class ReleaseHoldInput(AskedAt):
    """See gitops.operations.holds."""

    project: str
    environment: str
    services: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="None named: every hold of the environment."
    )

    def change(self) -> ReleaseHold:
        """As an operation."""
        return ReleaseHold(self.project, self.environment, tuple(or_none(self.services) or ()))


@strawberry.type
class HoldMutation:
    """Root fields."""

    @mutation("Stop automation in an environment, or for some of its services.")
    async def hold(self, info: Info, input: HoldInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "hold", input, input.change())

    @mutation("Let automation go on.")
    async def release_hold(self, info: Info, input: ReleaseHoldInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "releaseHold", input, input.change())
