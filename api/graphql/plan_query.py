"""Asking for plans."""

from typing import Annotated

import strawberry

from api.graphql import plans, problems
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import query
from api.graphql.mutations.deployments import PromoteInput
from api.graphql.mutations.rollbacks import RollbackInput
from api.graphql.plans import PromotionPlan

PlanResult = Annotated[
    PromotionPlan
    | problems.InvalidInput
    | problems.InvalidRepository
    | problems.NotFound
    | problems.PermissionDenied
    | problems.Unavailable,
    strawberry.union("PlanResult", description="What a change would do, or what stops it."),
]


@strawberry.type
class PlanQuery:
    """Root fields."""

    @query("What a promotion would do.", scope="project", told=True)
    async def promotion_plan(self, info: Info, input: PromoteInput) -> PlanResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await plans.load(info, input.change(), or_none(input.reason))

    @query("What a rollback would do.", scope="project", told=True)
    async def rollback_plan(self, info: Info, input: RollbackInput) -> PlanResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await plans.load(info, await input.change(info), or_none(input.reason))
