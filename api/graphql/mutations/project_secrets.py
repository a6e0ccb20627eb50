"""A project's secrets: set and removed, never shown."""

from typing import Annotated

import strawberry

from api.graphql import problems
from api.graphql.context import Info
from api.graphql.guards import mutation
from api.graphql.project_secrets import ProjectSecret
from api.threads import call
from gitops.access import WRITE_SECRETS
from jobs import project_secrets

SecretResult = Annotated[
    ProjectSecret | problems.InvalidInput | problems.NotFound | problems.PermissionDenied | problems.Unavailable,
    strawberry.union("SecretResult", description="The secret's name and moment, or what stopped it."),
]


@strawberry.input
class SetProjectSecretInput:
    """See jobs.project_secrets."""

    project: str
    name: str = strawberry.field(
        description="webhook: what the forge signs with, at least 16 characters; clone: what sources are read with; "
        "forge: a token for the forge's API."
    )
    value: str


@strawberry.input
class DeleteProjectSecretInput:
    """See jobs.project_secrets."""

    project: str
    name: str = strawberry.field(description="webhook, clone or forge.")


@strawberry.type
class SecretMutation:
    """Root fields."""

    @mutation("Keep a secret of a project; its value is never shown again.", verb=WRITE_SECRETS)
    async def set_project_secret(self, info: Info, input: SetProjectSecretInput) -> SecretResult:  # noqa: A002 - the contract's name
        """See the contract."""
        keep, ports = project_secrets.set_secret, info.context.ports
        return ProjectSecret.of(await call(keep, ports, input.project, input.name, input.value))

    @mutation("Remove a secret of a project; the one that there was.", verb=WRITE_SECRETS)
    async def delete_project_secret(self, info: Info, input: DeleteProjectSecretInput) -> SecretResult:  # noqa: A002 - as above
        """See the contract."""
        remove, ports = project_secrets.delete_secret, info.context.ports
        return ProjectSecret.of(await call(remove, ports, input.project, input.name))
