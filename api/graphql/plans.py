"""Plans: what a promotion or a rollback would do."""

from typing import Self

import strawberry

from api.graphql import commits, deployments, problems
from api.graphql.changes import ValueChange
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.images import Image
from api.graphql.later import Commit, Deployment, Gate
from api.reading import differences
from api.reading import plans as reading
from api.threads import call
from gitops.operations.promotions import Promote
from gitops.plans import Item, Plannable


@strawberry.type(description="One service that gets an image.")
class PlanItem:
    """See gitops.plans.Item."""

    model: strawberry.Private[reading.Shown]
    service: str
    from_: Image | None = strawberry.field(name="from", description="What runs there now; null: nothing.")
    to: Image = strawberry.field(description="What would run there.")

    @field("The deployment that the image comes from.")
    async def source_deployment(self, info: Info) -> Deployment | None:
        """Loaded when asked for."""
        change, base = self.model.plan.change, self.model.base.git.sha
        place = (base, change.source) if isinstance(change, Promote) else (change.to, change.environment)
        return await deployments.standing(info, change.project, *place, self.service)

    @field("The deployment that stands in the target.")
    async def target_deployment(self, info: Info) -> Deployment | None:
        """Loaded when asked for."""
        change, base = self.model.plan.change, self.model.base.git.sha
        return await deployments.standing(info, change.project, base, change.environments[0], self.service)

    @classmethod
    def of(cls, model: reading.Shown, item: Item) -> Self:
        """From the plan."""
        before = Image.of(item.before) if item.before else None
        return cls(model=model, service=item.service, from_=before, to=Image.of(item.after))


@strawberry.type(description="What a change would do, by the very function that does it.")
class PromotionPlan:
    """See gitops.plans."""

    model: strawberry.Private[reading.Shown]
    token: str = strawberry.field(description="As planToken of the change: exactly this, or PlanStale.")
    base: Commit = strawberry.field(description="The commit that it was made on.")
    items: list[PlanItem]
    subject: str = strawberry.field(description="The first line of the commit.")
    values_diff: str = strawberry.field(description="What looks secret is redacted.")
    manifest_diff: str = strawberry.field(description="Values of variables and what looks secret are redacted.")
    gates: list[Gate] = strawberry.field(description="What would have to be passed, open or closed.")
    warnings: list[str]
    no_change: bool = strawberry.field(description="Everything is so already: no commit would come of it.")

    @field("Value by value; what looks secret is redacted.")
    async def changes(self) -> list[ValueChange]:
        """Parsed when asked for."""
        return [ValueChange.of(change) for change in await call(differences.changes_in, self.model.deltas)]

    @classmethod
    def of(cls, model: reading.Shown) -> Self:
        """From the domain's."""
        plan = model.plan
        return cls(
            model=model,
            token=plan.token,
            base=commits.Commit.of(plan.change.project, model.base),
            items=[PlanItem.of(model, item) for item in plan.items],
            subject=plan.draft.subject,
            values_diff=model.values_diff,
            manifest_diff=model.manifest_diff,
            gates=[problems.Gate.of(gate) for gate in plan.draft.gates],
            warnings=list(model.warnings),
            no_change=not plan.draft.writes,
        )


async def load(info: Info, change: Plannable, reason: str | None) -> PromotionPlan:
    """The plan of a change. Raises Refused and Unreachable."""
    return PromotionPlan.of(await call(reading.show, info.context.ports, info.context.actor, change, reason))


async def again(info: Info, change: str) -> PromotionPlan | None:
    """The plan of a change that is kept as text; null when it cannot be any more."""
    found = await call(reading.show_again, info.context.ports, info.context.actor, change)
    return PromotionPlan.of(found) if found else None
