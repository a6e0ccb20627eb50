"""Projects: made and deleted."""

import strawberry

from api.graphql.context import Info
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import Asked, admitted
from api.graphql.problems import JobResult
from gitops.access import DELETE_PROJECT
from gitops.operations.projects import CreateProject, DeleteProject

ENVIRONMENTS = ("development", "staging", "production")


@strawberry.input
class CreateProjectInput(Asked):
    """See gitops.operations.projects."""

    name: str
    environments: list[str] | None = strawberry.field(default_factory=lambda: list(ENVIRONMENTS))

    def change(self) -> CreateProject:
        """As an operation."""
        return CreateProject(self.name, ENVIRONMENTS if self.environments is None else tuple(self.environments))


@strawberry.input
class DeleteProjectInput(Asked):
    """See gitops.operations.projects."""

    name: str
    confirm: str = strawberry.field(description="Repeats the name.")

    def change(self) -> DeleteProject:
        """As an operation."""
        return DeleteProject(self.name, self.confirm)


@strawberry.type
class ProjectMutation:
    """Root fields."""

    @mutation("A new project, with its repository and environments.", scope="name")
    async def create_project(self, info: Info, input: CreateProjectInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "createProject", input, input.change())

    @mutation("The end of a project; its repository is archived.", verb=DELETE_PROJECT, scope="name")
    async def delete_project(self, info: Info, input: DeleteProjectInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "deleteProject", input, input.change())
