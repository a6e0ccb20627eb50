"""Why a workload is unwell: from Argo CD's tree of live objects to its worst pod, and to that pod's words. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.argocd_values import Table, entries, table
from gitops.rollouts import HealthStatus, Observation, ResourceStatus

_WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
_MESSAGE_CHARACTERS: Final = 600


@dataclass(frozen=True)
class PodName:
    """A pod."""

    namespace: str
    name: str


def unwell(observation: Observation) -> tuple[ResourceStatus, ...]:
    """The workloads that are degraded: those whose pods may say more."""
    degraded = (one for one in observation.resources if one.health is HealthStatus.DEGRADED)
    return tuple(resource for resource in degraded if resource.kind in _WORKLOADS)


def worst_pod(tree: object, resource: ResourceStatus) -> PodName | None:
    """The newest pod of a workload that is not healthy; None when the tree shows none."""
    nodes = [node for node in entries(tree, "nodes") if isinstance(node, Mapping)]
    pods = [
        node
        for node in nodes
        if node.get("kind") == "Pod"
        and _health(node) != "Healthy"
        and _belongs(node, (resource.kind, resource.namespace, resource.name), nodes)
    ]
    newest = max(pods, key=lambda node: str(node.get("createdAt") or ""), default=None)
    return PodName(str(newest.get("namespace") or ""), str(newest.get("name") or "")) if newest else None


def pod_words(manifest: str) -> str | None:
    """What a pod's containers wait for and how they last ended; else why it is not scheduled. None: it says nothing."""
    try:
        pod = json.loads(manifest)
    except ValueError:
        return None
    status = table(pod, "status")
    said = [*_containers(status), *_scheduling(status)]
    return "; ".join(said)[:_MESSAGE_CHARACTERS] if said else None


def _containers(status: Table) -> Iterator[str]:
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in entries(status, key):
            name = table(container).get("name")
            waiting = table(container, "state", "waiting")
            ended = table(container, "state", "terminated") or table(container, "lastState", "terminated")
            if waiting.get("reason"):
                yield f"container {name} waits: {_joined(waiting.get('reason'), waiting.get('message'))}"
            if ended.get("reason") and ended.get("exitCode") != 0:
                why = _joined(ended.get("reason"), ended.get("message"))
                yield f"container {name} ended with exit code {ended.get('exitCode')}: {why}"


def _scheduling(status: Table) -> Iterator[str]:
    for condition in entries(status, "conditions"):
        given = table(condition)
        if given.get("type") == "PodScheduled" and given.get("status") == "False":
            yield _joined(given.get("reason"), given.get("message"))


def _belongs(node: Table, wanted: tuple[str, str | None, str], nodes: Sequence[Table], depth: int = 5) -> bool:
    """Whether one of an object's owners, their owners included, is the one that is wanted."""
    parents = [(one.get("kind"), one.get("namespace"), one.get("name")) for one in entries(node, "parentRefs")]
    if wanted in parents:
        return True
    above = [one for one in nodes if (one.get("kind"), one.get("namespace"), one.get("name")) in parents]
    return depth > 0 and any(_belongs(one, wanted, nodes, depth - 1) for one in above)


def _health(node: Table) -> object:
    return table(node, "health").get("status")


def _joined(*parts: object) -> str:
    return ": ".join(str(part).strip() for part in parts if part)
