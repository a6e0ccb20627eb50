"""The objects of an environment as a tree, whatever delivers it. Plain frozen data; nothing is asked here."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gitops.rollouts import HealthStatus


@dataclass(frozen=True)
class ResourceNode:
    """One object, with what changes only when something happens to it: equal trees tell the same."""

    uid: str
    parent_uids: tuple[str, ...]
    """Owners; all of them are nodes of the same tree."""
    group: str
    version: str
    kind: str
    namespace: str | None
    """None: it belongs to the whole cluster."""
    name: str
    health: HealthStatus | None
    """None: nothing is told of the health of such an object."""
    message: str | None = None
    images: tuple[str, ...] = ()
    created_at: datetime | None = None


def in_order(nodes: Iterable[ResourceNode]) -> tuple[ResourceNode, ...]:
    """The same order for the same objects, however they were told."""
    return tuple(sorted(nodes, key=lambda node: (node.namespace or "", node.group, node.kind, node.name, node.uid)))


def derived_uid(*names: str) -> str:
    """A uid for an object that the cluster gave none, always the same for the same names."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "lucity.dev/resources/" + "/".join(names)))
