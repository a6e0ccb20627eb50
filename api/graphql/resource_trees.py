"""The live objects of environments, as the delivery shows them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Self

import strawberry

from adapters import resource_nodes as domain
from api.graphql import environments
from api.graphql.context import Info
from api.graphql.guards import stream
from api.resource_trees import Seen
from gitops.rollouts import HealthStatus


@strawberry.type(description="One object of an environment, as the delivery shows it.")
class ResourceNode:
    """See adapters.resource_nodes."""

    uid: strawberry.ID
    parent_uids: list[strawberry.ID] = strawberry.field(description="Its owners, as far as they are in this tree.")
    group: str
    version: str
    kind: str
    namespace: str | None
    name: str
    health: HealthStatus | None = strawberry.field(description="Null where nothing is told of it, as of a ConfigMap.")
    message: str | None
    images: list[str] = strawberry.field(description="Of its containers.")
    created_at: datetime | None

    @classmethod
    def of(cls, model: domain.ResourceNode) -> Self:
        """From what the delivery shows."""
        return cls(
            uid=strawberry.ID(model.uid),
            parent_uids=[strawberry.ID(uid) for uid in model.parent_uids],
            group=model.group,
            version=model.version,
            kind=model.kind,
            namespace=model.namespace,
            name=model.name,
            health=model.health,
            message=model.message,
            images=list(model.images),
            created_at=model.created_at,
        )


@strawberry.type(description="One item of resourceTree: the whole tree, and since when it is so.")
class ResourceTreeEvent:
    """`identity` is equal for items that show the same, so that they are executed once."""

    at: datetime
    nodes: list[ResourceNode]
    identity: strawberry.Private[tuple[str, ...]]

    @classmethod
    def of(cls, project: str, environment: str, seen: Seen) -> Self:
        """From a tree that was seen."""
        identity = ("resourceTree", project, environment, seen.at.isoformat())
        return cls(at=seen.at, nodes=[ResourceNode.of(node) for node in seen.nodes], identity=identity)


@strawberry.type
class ResourceTreeSubscription:
    """Root fields."""

    @stream("An environment's objects now, then at every change; completes when it is deleted.", scope="project")
    async def resource_tree(self, info: Info, project: str, environment: str) -> AsyncIterator[ResourceTreeEvent]:
        """See the contract."""
        await environments.require(info, project, environment)
        async with aclosing(info.context.trees.follow(project, environment)) as trees:
            async for seen in trees:
                yield ResourceTreeEvent.of(project, environment, seen)
