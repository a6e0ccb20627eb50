"""Projects: made, set up and deleted."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import Asked, AskedAt, admitted
from api.graphql.mutations.configuration import ValueInput
from api.graphql.problems import JobResult
from gitops.access import DELETE_PROJECT
from gitops.operations.projects import CreateProject, DeleteProject
from gitops.operations.projectsettings import UpdateProject
from gitops.operations.values import ValueSetting

ENVIRONMENTS = ("development", "staging", "production")


@strawberry.input
class CreateProjectInput(Asked):
    """See gitops.operations.projects."""

    name: str
    environments: list[str] | None = strawberry.field(
        default_factory=lambda: list(ENVIRONMENTS),
        description="In the order of the pipeline, that leads from each to the next.",
    )

    def change(self) -> CreateProject:
        """As an operation."""
        return CreateProject(self.name, ENVIRONMENTS if self.environments is None else tuple(self.environments))


@strawberry.input
class UpdateProjectInput(AskedAt):
    """See gitops.operations.projectsettings."""

    project: str
    values: list[ValueInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "branches.<branch>: [environments]; previews.enabled, from, limit, forks, ttlSeconds;"
            " forge.kind, apiUrl; pipeline."
        ),
    )
    unset: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Keys to remove.")

    def change(self) -> UpdateProject:
        """As an operation."""
        settings = tuple(ValueSetting(one.key, one.value) for one in or_none(self.values) or ())
        return UpdateProject(self.project, settings, tuple(or_none(self.unset) or ()))


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

    @mutation("Settings of a project: followed branches, previews, the pipeline.")
    async def update_project(self, info: Info, input: UpdateProjectInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "updateProject", input, input.change())

    @mutation("The end of a project; its repository is archived.", verb=DELETE_PROJECT, scope="name")
    async def delete_project(self, info: Info, input: DeleteProjectInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "deleteProject", input, input.change())
