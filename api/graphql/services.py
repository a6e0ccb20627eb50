"""Services as base/values.yaml defines them."""

from typing import Self

import strawberry

from api.graphql.connections import page_size
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.nodes import Node, node_id
from api.graphql.scalars import JSON
from api.graphql.variables import Variable
from api.reading.tags import page
from gitops.services import Service as Model
from gitops.services import Source


@strawberry.type(description="Where a service's code lives; read only, never written to.")
class ServiceSource:
    """See gitops.repository."""

    repository_url: str
    branch: str = strawberry.field(description="What is built when nothing else is asked for.")
    context_path: str = strawberry.field(description="The folder that is built, from the root of the repository.")
    dockerfile: str = strawberry.field(description="Its path in that folder.")

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
    port: int | None = strawberry.field(description="That its container listens on; null: it cannot be reached.")
    command: list[str] | None = strawberry.field(description="Instead of the image's own.")
    source: ServiceSource | None = strawberry.field(description="Null: its images are built elsewhere.")
    variables: list[Variable]
    values: JSON | None = strawberry.field(description="All that base/values.yaml says of it.")

    @field(
        "Tags of its image in the registry of LUCITY_REGISTRY, the highest first: v1.10 before v1.9, a commit's SHA"
        " anywhere. `after` is the last tag of the page before, `contains` a part of what is looked for. Null when the"
        " registry does not tell, or the image is elsewhere."
    )
    async def tags(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = strawberry.UNSET,
        contains: str | None = strawberry.UNSET,
    ) -> list[str] | None:
        """Asked when asked for; once for all services of an answer."""
        size = page_size(first)
        found = await info.context.load.tags.load(self.image)
        return None if found is None else page(found, size, after or None, contains or None)

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
