"""Objects judged by the Kubernetes API's own types, as the `kubernetes` client carries them."""

import re
from collections.abc import Iterator
from typing import Any

from kubernetes import client
from pydantic import ValidationError

MODELS: dict[tuple[str, str], Any] = {
    ("v1", "ConfigMap"): client.V1ConfigMap,
    ("v1", "Service"): client.V1Service,
    ("v1", "ServiceAccount"): client.V1ServiceAccount,
    ("apps/v1", "Deployment"): client.V1Deployment,
    ("batch/v1", "CronJob"): client.V1CronJob,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): client.V2HorizontalPodAutoscaler,
    ("networking.k8s.io/v1", "Ingress"): client.V1Ingress,
    ("networking.k8s.io/v1", "NetworkPolicy"): client.V1NetworkPolicy,
    ("policy/v1", "PodDisruptionBudget"): client.V1PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): client.V1ClusterRole,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): client.V1ClusterRoleBinding,
    ("rbac.authorization.k8s.io/v1", "Role"): client.V1Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): client.V1RoleBinding,
    ("v1", "PersistentVolumeClaim"): client.V1PersistentVolumeClaim,
}
_FOREIGN = {("gateway.networking.k8s.io/v1", "HTTPRoute"), ("monitoring.coreos.com/v1", "ServiceMonitor")}
"""Kinds that clusters get by definitions of their own; the client knows no types of theirs."""
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def faults(manifest: dict[str, Any]) -> list[str]:
    """List what Kubernetes would not take: unknown fields, wrong types, missing fields, malformed names and labels."""
    kind = (manifest["apiVersion"], manifest["kind"])
    found = [] if _NAME.fullmatch(manifest["metadata"]["name"]) else [f"name {manifest['metadata']['name']}"]
    found += [f"label {value}" for value in _labels(manifest) if not _LABEL.fullmatch(value)]
    if kind not in MODELS:
        return found if kind in _FOREIGN else [*found, f"kind {kind}"]
    try:
        MODELS[kind].model_validate(manifest)
    except ValidationError as error:
        found.append(str(error))
    return found


def _labels(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("labels", "matchLabels"):
                yield from inner.values()
            yield from _labels(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _labels(inner)
