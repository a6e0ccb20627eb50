"""Shapes that the contract names already and that no field uses yet, so that clients can generate code for them."""

from datetime import datetime

import strawberry

from gitops.rollouts import HealthStatus


@strawberry.type
class ResourceNode:
    """One Kubernetes object and those that own it."""

    uid: strawberry.ID
    parent_uids: list[strawberry.ID]
    group: str
    version: str
    kind: str
    namespace: str | None
    name: str
    health: HealthStatus | None
    message: str | None
    images: list[str]
    created_at: datetime | None


TYPES = (ResourceNode,)
