"""Services as base/values.yaml defines them."""

from typing import Self

import strawberry

from api.graphql.nodes import Node, node_id
from api.graphql.scalars import JSON
from api.graphql.variables import Variable
from gitops.services import Service as Model
from gitops.services import Source


@strawberry.type(description="Where a service's code lives; read only, never written to.")
class ServiceSource:
    """See gitops.repository."""

    repository_url: str
    branch: str
    context_path: str
    dockerfile: str

    @classmethod
    def of(cls, model: Source) -> Self:
        """From base/values.yaml."""
        return cls(
            repository_url=model.repository_url,
            branch=model.branch,
            context_path=model.context_path,
            dockerfile=model.dockerfile,
        )


@strawberry.type(description="A deployable part of a project, from base/values.yaml.")
class Service(Node):
    """See gitops.repository."""

    name: str
    image: str = strawberry.field(description="Where its images live, without a tag.")
    port: int | None
    command: list[str] | None
    source: ServiceSource | None
    variables: list[Variable]
    values: JSON | None

    @classmethod
    def of(cls, project: str, model: Model) -> Self:
        """From the repository."""
        return cls(
            id=node_id("Service", project, model.name),
            name=model.name,
            image=model.image,
            port=model.port,
            command=None if model.command is None else list(model.command),
            source=ServiceSource.of(model.source) if model.source else None,
            variables=[Variable.of(variable) for variable in model.variables],
            values=JSON(model.values),
        )
