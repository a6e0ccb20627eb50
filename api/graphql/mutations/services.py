"""Services: added to, changed in and removed from base/values.yaml."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted
from api.graphql.problems import JobResult
from gitops.operations.services import AddService, RemoveService, UpdateService
from gitops.services import Source


@strawberry.input(description="Where a service's code lives; read only, never written to.")
class ServiceSourceInput:
    """See gitops.services.Source."""

    repository_url: str
    branch: str | None = strawberry.field(default="main", description="What is built when nothing else is asked for.")
    context_path: str | None = strawberry.field(
        default=".", description="The folder that is built, from the root of the repository."
    )
    dockerfile: str | None = strawberry.field(default="Dockerfile", description="Its path in that folder.")

    def source(self) -> Source:
        """As an operation takes it."""
        return Source(
            self.repository_url,
            "main" if self.branch is None else self.branch,
            "." if self.context_path is None else self.context_path,
            "Dockerfile" if self.dockerfile is None else self.dockerfile,
        )


@strawberry.input
class AddServiceInput(AskedAt):
    """See gitops.operations.services."""

    project: str
    name: str
    image: str = strawberry.field(description="Where its images live, without a tag.")
    port: int | None = strawberry.field(
        default=strawberry.UNSET, description="That its container listens on; none: it cannot be reached."
    )
    command: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Instead of the image's own.")
    replicas: int | None = strawberry.field(
        default=1, description="Pods in each environment that does not say otherwise, 0 to 1000."
    )
    source: ServiceSourceInput | None = strawberry.field(
        default=strawberry.UNSET, description="None: its images are built elsewhere."
    )

    def change(self) -> AddService:
        """As an operation."""
        command, source = or_none(self.command), or_none(self.source)
        return AddService(
            self.project,
            self.name,
            self.image,
            port=or_none(self.port),
            command=None if command is None else tuple(command),
            replicas=1 if self.replicas is None else self.replicas,
            source=source.source() if source else None,
        )


@strawberry.input(description="Absent: unchanged; null: removed.")
class UpdateServiceInput(AskedAt):
    """See gitops.operations.services."""

    project: str
    name: str
    image: str | None = strawberry.field(default=strawberry.UNSET, description="Where its images live, without a tag.")
    port: int | None = strawberry.UNSET
    command: list[str] | None = strawberry.UNSET
    source: ServiceSourceInput | None = strawberry.UNSET

    def change(self) -> UpdateService:
        """As an operation."""
        details = {"image": self.image, "port": self.port, "command": self.command, "source": self.source}
        command, source = or_none(self.command), or_none(self.source)
        return UpdateService(
            self.project,
            self.name,
            image=or_none(self.image),
            port=or_none(self.port),
            command=None if command is None else tuple(command),
            source=source.source() if source else None,
            removes=tuple(name for name, value in details.items() if value is None),
        )


@strawberry.input
class RemoveServiceInput(AskedAt):
    """See gitops.operations.services."""

    project: str
    name: str

    def change(self) -> RemoveService:
        """As an operation."""
        return RemoveService(self.project, self.name)


@strawberry.type
class ServiceMutation:
    """Root fields."""

    @mutation("A new service in base; deploy it to make it run.")
    async def add_service(self, info: Info, input: AddServiceInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "addService", input, input.change())

    @mutation("Other details of a service, in base.")
    async def update_service(self, info: Info, input: UpdateServiceInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "updateService", input, input.change())

    @mutation("The end of a service, in base and in every environment.")
    async def remove_service(self, info: Info, input: RemoveServiceInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "removeService", input, input.change())
