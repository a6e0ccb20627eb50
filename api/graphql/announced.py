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


@strawberry.type
class ProjectSecret:
    """A secret's name; its value is never shown again."""

    name: str
    updated_at: datetime


@strawberry.input
class SetProjectSecretInput:
    """A secret of a project."""

    project: str
    name: str
    value: str


TYPES = (
    ResourceNode,
    ProjectSecret,
    SetProjectSecretInput,
)
