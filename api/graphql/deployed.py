"""Services in environments: base merged with the environment, as Helm merges them."""

from typing import Self

import strawberry

from api.graphql import deployments, environments
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.images import Image
from api.graphql.later import Deployment, Environment
from api.graphql.nodes import Node, node_id
from api.graphql.scalars import JSON
from api.graphql.services import Service
from api.graphql.variables import Variable
from api.reading.repositories import Place
from api.reading.statuses import service_health
from gitops.rollouts import HealthStatus
from gitops.services import DeployedService as Model


@strawberry.type(description="A service in an environment.")
class DeployedService(Node):
    """See gitops.repository."""

    place: strawberry.Private[Place]
    model: strawberry.Private[Model]
    image: Image | None = strawberry.field(description="Null: nothing is deployed yet.")
    replicas: int | None = strawberry.field(description="Null when an autoscaler or a schedule decides.")
    variables: list[Variable]
    values: JSON | None = strawberry.field(description="All that is said of it, merged as Helm merges it.")
    hosts: list[str] = strawberry.field(description="The names under which it is reached.")

    @field("As base defines it.")
    def service(self) -> Service:
        """Known already."""
        return Service.of(self.place.project, self.place.service(self.model))

    @field("Where it is deployed.")
    def environment(self) -> Environment:
        """Known already."""
        return environments.Environment.of(self.place)

    @field("The worst of this service's own resources; UNKNOWN for the past.")
    async def health(self, info: Info) -> HealthStatus:
        """Loaded when asked for; of the past nothing is known any more."""
        place = self.place
        if (await info.context.load.head.load(place.project)).sha != place.sha:
            return HealthStatus.UNKNOWN
        view = await info.context.load.status.load((place.project, place.environment.name))
        return service_health(view, self.model.name)

    @field("The commit that put this image here.")
    async def deployment(self, info: Info) -> Deployment | None:
        """Loaded when asked for."""
        place = self.place
        return await deployments.standing(info, place.project, place.sha, place.environment.name, self.model.name)

    @classmethod
    def of(cls, place: Place, model: Model) -> Self:
        """From the repository."""
        return cls(
            id=node_id("DeployedService", place.project, place.environment.name, model.name),
            place=place,
            model=model,
            image=Image.of(model.image) if model.image else None,
            replicas=model.replicas,
            variables=[Variable.of(variable) for variable in model.variables],
            values=JSON(model.values),
            hosts=list(model.hosts),
        )
