"""Argo CD's tree of an Application's objects, as our own records. Pure.

Source: Argo CD 3.6, ApplicationTree and ResourceNode in pkg/apis/application/v1alpha1/types.go, getResourceTree in
controller/appcontroller.go: nodes come in no order; one that is missing in the cluster has no uid, and a reference to
a parent sometimes has none either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from adapters.argocd_values import Table, entries, moment, table, text, word
from adapters.resource_nodes import ResourceNode, derived_uid, in_order
from gitops.rollouts import HealthStatus

ORPHANED: Final = "It is in the namespace, but not in the environment's manifests."

Key = tuple[str, str, str, str]


def parse_tree(body: object) -> tuple[ResourceNode, ...]:
    """An ApplicationTree: managed objects, what they own, and orphaned objects, which say so in their message."""
    managed, orphaned = (
        [given for one in entries(body, name) if text((given := table(one)).get("name"))]
        for name in ("nodes", "orphanedNodes")
    )
    uids = {_key(one): _uid(one) for one in [*orphaned, *managed]}
    known = frozenset(uids.values())
    nodes = {_uid(one): _orphan(_node(one, uids, known)) for one in orphaned}
    nodes |= {_uid(one): _node(one, uids, known) for one in managed}
    return in_order(nodes.values())


def _orphan(node: ResourceNode) -> ResourceNode:
    return replace(node, message=node.message or ORPHANED)


def _node(given: Table, uids: Mapping[Key, str], known: frozenset[str]) -> ResourceNode:
    health = given.get("health")
    return ResourceNode(
        uid=_uid(given),
        parent_uids=tuple(sorted(set(_parents(given, uids, known)) - {_uid(given)})),
        group=text(given.get("group")) or "",
        version=text(given.get("version")) or "",
        kind=text(given.get("kind")) or "",
        namespace=text(given.get("namespace")),
        name=text(given.get("name")) or "",
        health=None if health is None else word(HealthStatus, table(health).get("status"), HealthStatus.UNKNOWN),
        message=text(table(health).get("message")),
        images=tuple(sorted({image for image in entries(given, "images") if isinstance(image, str)})),
        created_at=moment(given.get("createdAt")),
    )


def _parents(given: Table, uids: Mapping[Key, str], known: frozenset[str]) -> Iterator[str]:
    """The owners that are in the tree too; others cannot be shown, for Argo CD tells no more of them."""
    for one in entries(given, "parentRefs"):
        reference = table(one)
        uid = text(reference.get("uid"))
        found = uid if uid in known else uids.get(_key(reference))
        if found is not None:
            yield found


def _uid(given: Table) -> str:
    return text(given.get("uid")) or derived_uid(*_key(given))


def _key(given: Table) -> Key:
    group, kind, namespace, name = (text(given.get(key)) or "" for key in ("group", "kind", "namespace", "name"))
    return group, kind, namespace, name
