"""Builds: images made from the source of a service."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import Asked, admitted
from api.graphql.problems import JobResult
from gitops.operations.builds import Build


@strawberry.input
class BuildInput(Asked):
    """See gitops.operations.builds."""

    project: str
    service: str
    revision: str | None = strawberry.field(
        default=strawberry.UNSET, description="Branch, tag or commit; none: the branch of the service's source."
    )
    deploy_to: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Environments that get the image, each by a job of its own."
    )
    force: bool | None = strawberry.field(
        default=False, description="Build although there is an image of the same source."
    )

    def change(self) -> Build:
        """As an operation."""
        return Build(
            self.project,
            self.service,
            or_none(self.revision),
            tuple(or_none(self.deploy_to) or ()),
            bool(self.force),
        )


@strawberry.type
class BuildMutation:
    """Root fields."""

    @mutation("Make an image of a service from its source; with deployTo, put it into environments.")
    async def build(self, info: Info, input: BuildInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "build", input, input.change())
