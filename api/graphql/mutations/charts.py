"""The vendored chart: brought to another version."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted
from api.graphql.problems import JobResult
from gitops.operations.charts import UpgradeChart


@strawberry.input
class UpgradeChartInput(AskedAt):
    """See gitops.operations.charts."""

    project: str
    version: str | None = strawberry.field(
        default=strawberry.UNSET, description="None: the newest that this server carries."
    )

    def change(self) -> UpgradeChart:
        """As an operation."""
        return UpgradeChart(self.project, or_none(self.version))


@strawberry.type
class ChartMutation:
    """Root fields."""

    @mutation("Another version of chart lucity-app in the project's repository.")
    async def upgrade_chart(self, info: Info, input: UpgradeChartInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "upgradeChart", input, input.change())
