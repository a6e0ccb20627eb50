"""The namespaces of environments in a Kubernetes cluster: made by us before anything is put there, with quota, defaults
and network policy; deleted by us, by uid. What Lucity did not make is never changed.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters import labels
from adapters.kubernetes_api import METADATA, METADATA_LIST, Contended, KubernetesApi
from adapters.namespace_guards import Guard
from adapters.ports import Unreachable
from adapters.records import Application
from gitops.problems import Conflict, ConflictCode, Refused

_NAMESPACES = "/api/v1/namespaces"
_REMAINING = re.compile(r"([a-z0-9-]+)\.([a-z0-9.-]*) has [0-9]+ resource instances")
_SHOWN = 3
"""Kinds, and objects of each, that a message names."""


class KubernetesCluster:
    """ports.Cluster. What was found to be right is looked at again after `again_seconds`."""

    def __init__(self, api: KubernetesApi, guards: Sequence[Guard], again_seconds: float = 300.0) -> None:
        self._api = api
        self._guards = guards
        self._again_seconds = again_seconds
        self._ensured: dict[Application, float] = {}

    def check(self) -> None:
        """See ports.Cluster."""
        self._api.get("/apis")

    def namespaces(self, project: str) -> Sequence[Application]:
        """See ports.Cluster."""
        selector = f"{labels.PROJECT}={project},{labels.MANAGED_BY}={labels.LUCITY}"
        found = self._api.get(_NAMESPACES, accept=METADATA_LIST, labelSelector=selector) or {}
        owners = [labels.parse(item["metadata"]) for item in found.get("items") or ()]
        there = [owner for owner in owners if owner is not None]
        # What somebody deleted has to be made again, at once.
        for application in [one for one in self._ensured if one.project == project and one not in there]:
            del self._ensured[application]
        return there

    def is_foreign(self, namespace: str) -> bool:
        """See ports.Cluster."""
        found = self._api.get(f"{_NAMESPACES}/{namespace}", accept=METADATA)
        return found is not None and labels.parse(found["metadata"]) is None

    def ensure_namespace(self, application: Application) -> None:
        """See ports.Cluster."""
        if self._ensured.get(application, 0.0) > time.monotonic():
            return
        try:
            metadata = self._found_or_made(application)
            _check(metadata, application)
            self._label(metadata, application)
            self._guard(application.namespace)
        except Contended as contention:
            raise Unreachable("cluster", f"{application.namespace} is changing: {contention}") from contention
        self._ensured[application] = time.monotonic() + self._again_seconds

    def delete_namespace(self, application: Application) -> str | None:
        """See ports.Cluster."""
        self._ensured.pop(application, None)
        path = f"{_NAMESPACES}/{application.namespace}"
        found = self._api.get(path)
        if found is None or not _is_of(found["metadata"], application):
            return None
        if "deletionTimestamp" not in found["metadata"]:
            try:
                self._api.delete(path, found["metadata"]["uid"])
            except Contended as contention:
                raise Unreachable("cluster", f"{application.namespace} is changing: {contention}") from contention
        return f"the namespace {application.namespace} is going{self._remaining(found)}"

    def _found_or_made(self, application: Application) -> dict[str, Any]:
        found = self._api.get(f"{_NAMESPACES}/{application.namespace}", accept=METADATA)
        if found is None:
            metadata = {"name": application.namespace, **labels.render(application)}
            found = self._api.create(_NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        made: dict[str, Any] = found["metadata"]
        return made

    def _label(self, metadata: Mapping[str, Any], application: Application) -> None:
        if labels.parse(metadata) != application:
            wanted = labels.render(application)["labels"]
            self._api.patch(f"{_NAMESPACES}/{application.namespace}", metadata["uid"], {"labels": wanted})

    def _guard(self, namespace: str) -> None:
        for guard in self._guards:
            path = guard.path(namespace)
            if guard.spec is not None:
                self._api.apply(path, guard.body(namespace))
            elif (found := self._api.get(path, accept=METADATA)) and labels.is_ours(found["metadata"]):
                self._api.delete(path, found["metadata"]["uid"])

    def _remaining(self, namespace: Mapping[str, Any]) -> str:
        """What a going namespace still holds: the objects when their finalizers keep them, else what is said of it."""
        said = {
            condition["type"]: condition["message"]
            for condition in namespace.get("status", {}).get("conditions") or ()
            if condition["status"] == "True"
        }
        if "NamespaceFinalizersRemaining" in said:
            kinds = _REMAINING.findall(said.get("NamespaceContentRemaining", ""))[:_SHOWN]
            name = namespace["metadata"]["name"]
            held = [text for plural, group in kinds for text in self._held(name, plural, group)]
            return f"; still in it: {', '.join(held)}" if held else f"; {said['NamespaceFinalizersRemaining']}"
        return f"; {'; '.join(said.values())}" if said else ""

    def _held(self, namespace: str, plural: str, group: str) -> Iterator[str]:
        """Objects of one kind with the finalizers that keep them; the kind alone when they may not be listed."""
        try:
            listed = self._api.get(f"{self._root(group)}/namespaces/{namespace}/{plural}", accept=METADATA_LIST) or {}
        except Unreachable:
            yield plural
            return
        for item in (listed.get("items") or ())[:_SHOWN]:
            finalizers = ", ".join(item["metadata"].get("finalizers", ()))
            yield f"{plural}/{item['metadata']['name']}" + (f" (finalizer {finalizers})" if finalizers else "")

    def _root(self, group: str) -> str:
        if not group:
            return "/api/v1"
        found = self._api.get(f"/apis/{group}") or {}
        return f"/apis/{found.get('preferredVersion', {}).get('groupVersion', group)}"


def _is_of(metadata: Mapping[str, Any], application: Application) -> bool:
    owner = labels.parse(metadata)
    return owner is not None and owner.identity == application.identity


def _check(metadata: Mapping[str, Any], application: Application) -> None:
    """Raise Refused for a namespace that is not this environment's, or not for long."""
    namespace = application.namespace
    owner = labels.parse(metadata)
    if owner is None or (owner.project, owner.environment) != (application.project, application.environment):
        raise Refused(labels.foreign(namespace))
    if "deletionTimestamp" in metadata or owner.identity != application.identity:
        message = f"waiting for the earlier namespace {namespace} to be gone"
        raise Refused(Conflict(message, ConflictCode.BEING_DELETED))
