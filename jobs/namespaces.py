"""Namespaces before and after a commit: what stands in the way of having one, or of being rid of it, in words."""

from collections.abc import Sequence

import structlog

from adapters import labels
from adapters.ports import Cluster, Unreachable
from adapters.records import Application
from adapters.wiring import Ports
from gitops import names
from gitops.changes import Change
from gitops.history import environment_names
from gitops.layout import environment_of
from gitops.operations.reverts import Revert
from gitops.problems import Refused
from gitops.repository import has_environment
from gitops.tree import Overlaid, Tree, Writes

_log = structlog.get_logger()


def wanted(change: Change) -> tuple[str, ...]:
    """The environments that a change makes or brings back, as far as they can be told without a tree."""
    made = (ref.name for ref in change.creates if ref.what == "environment")
    return (*made, *(change.returns if isinstance(change, Revert) else ()))


def check_free(ports: Ports, project: str, before: Tree, writes: Writes) -> None:
    """Raise Refused(AlreadyExists) when the writes make an environment whose namespace somebody else made. A cluster
    that does not answer stops no commit: the environment then waits until the namespace is free.
    """
    if ports.cluster is None:
        return
    after = Overlaid(before, writes)
    for environment in environment_names(name for path in writes if (name := environment_of(path))):
        if has_environment(after, environment) and not has_environment(before, environment):
            namespace = names.namespace(project, environment)
            if _is_foreign(ports.cluster, namespace):
                raise Refused(labels.foreign(namespace))


def existing(ports: Ports, project: str) -> Sequence[Application]:
    """The namespaces of a project that are ours; nothing without a cluster."""
    return ports.cluster.namespaces(project) if ports.cluster else ()


def make(ports: Ports, application: Application) -> str | None:
    """Have its namespace; what stands in the way, None when it is there."""
    try:
        if ports.cluster:
            ports.cluster.ensure_namespace(application)
    except Refused as refusal:
        _log.warning("namespace not ours", namespace=application.namespace, message=refusal.problem.message)
        return refusal.problem.message
    except Unreachable as outage:
        return waiting(outage)
    return None


def remove(ports: Ports, application: Application) -> str | None:
    """Be rid of its namespace; what stands in the way, None when it is gone."""
    try:
        return ports.cluster.delete_namespace(application) if ports.cluster else None
    except Unreachable as outage:
        return waiting(outage)


def agreed(ports: Ports) -> str:
    """What the step says once there is nothing to wait for."""
    return (
        "the cluster agrees with Git"
        if ports.cluster
        else "nothing to do: without access to a cluster Lucity makes and deletes no namespace"
    )


def waiting(outage: Unreachable) -> str:
    """What a step says while a system does not answer."""
    return f"waiting for the {outage.component}: {outage}"


def _is_foreign(cluster: Cluster, namespace: str) -> bool:
    try:
        return cluster.is_foreign(namespace)
    except Unreachable as outage:
        _log.warning("namespace not looked at", namespace=namespace, message=str(outage))
        return False
