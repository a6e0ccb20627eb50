"""What the local delivery rendered for an environment, as its tree: nothing of it runs, so nothing owns anything."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.codec import dumps, loads
from adapters.durable import replace
from adapters.records import Application
from adapters.resource_nodes import ResourceNode, derived_uid, in_order
from gitops.rollouts import HealthStatus

HEALTH_UNKNOWN: Final = "The local delivery renders manifests and runs nothing, so health cannot be observed."
TREE: Final = "tree.json"
CHANGED: Final = "changed"
_WATCH_SECONDS = 0.1

Document = Mapping[str, Any]


class LocalTrees:
    """ports.ResourceTrees on the folder of a local delivery."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def tree(self, project: str, environment: str) -> tuple[ResourceNode, ...] | None:
        """See ports.ResourceTrees. What was rendered last; nothing while nothing was."""
        folder = self._root / project / environment
        try:
            return tuple(loads(list[ResourceNode], (folder / TREE).read_text()))
        except FileNotFoundError:
            return () if (folder / "application.json").exists() else None

    async def rings(self, project: str, environment: str) -> AsyncGenerator[None, None]:
        """See ports.ResourceTrees."""
        kept = self._root / project / environment / TREE
        seen = modified(kept)
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            before, seen = seen, modified(kept)
            if seen != before:
                yield


def keep_tree(folder: Path, application: Application, documents: Iterable[Document]) -> None:
    """Put the objects of these manifests where `tree` reads them, all at once."""
    replace(folder / TREE, dumps(in_order(_node(application, document) for document in documents)).encode(), 0o600)


def is_object(document: object) -> bool:
    """Whether it names itself as every object of Kubernetes does."""
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    named = isinstance(metadata, Mapping) and bool(metadata.get("name"))
    return named and isinstance(document, Mapping) and bool(document.get("apiVersion")) and bool(document.get("kind"))


def identity(document: Document) -> tuple[str, str, str, str]:
    """Group, version, kind and name of an object."""
    group, _, version = str(document["apiVersion"]).rpartition("/")
    return group, version, str(document["kind"]), str(document["metadata"]["name"])


def images(value: object) -> Iterator[str]:
    """Every image that an object names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "image" and isinstance(inner, str):
                yield inner
            else:
                yield from images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from images(inner)


def modified(path: Path) -> int:
    """When a file was written; 0 when there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _node(application: Application, document: Document) -> ResourceNode:
    group, version, kind, name = identity(document)
    return ResourceNode(
        uid=derived_uid(application.identity, group, kind, name),
        parent_uids=(),
        group=group,
        version=version,
        kind=kind,
        namespace=application.namespace,
        name=name,
        health=HealthStatus.UNKNOWN,
        message=HEALTH_UNKNOWN,
        images=tuple(sorted(set(images(document)))),
    )
