"""What stands in every namespace of ours beside the workloads: quota, defaults for containers, network. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters import labels
from adapters.settings import Settings

_NAME = "lucity"
_NODE_LOCAL_DNS = "169.254.20.10/32"
"""Not a pod: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/."""


@dataclass(frozen=True)
class Guard:
    """One object per namespace; `spec` None: settings say that there is none."""

    api_version: str
    kind: str
    plural: str
    spec: dict[str, Any] | None

    def path(self, namespace: str) -> str:
        """Where it lives."""
        root = "/api" if "/" not in self.api_version else "/apis"
        return f"{root}/{self.api_version}/namespaces/{namespace}/{self.plural}/{_NAME}"

    def body(self, namespace: str) -> dict[str, Any]:
        """The object itself."""
        metadata = {"name": _NAME, "namespace": namespace, "labels": {labels.MANAGED_BY: labels.LUCITY}}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, "spec": self.spec}


def guards(settings: Settings) -> Sequence[Guard]:
    """What settings ask for, and what they ask to be without."""
    return (
        Guard("v1", "ResourceQuota", "resourcequotas", _quota(settings)),
        Guard("v1", "LimitRange", "limitranges", _limits(settings)),
        Guard("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", _network(settings)),
    )


def _quota(settings: Settings) -> dict[str, Any] | None:
    return {"hard": dict(settings.namespace_quota)} if settings.namespace_quota else None


def _limits(settings: Settings) -> dict[str, Any] | None:
    given = {"defaultRequest": settings.container_requests, "default": settings.container_limits}
    item = {name: dict(values) for name, values in given.items() if values}
    return {"limits": [{"type": "Container", **item}]} if item else None


def _network(settings: Settings) -> dict[str, Any] | None:
    """Nothing in or out but the namespace's own pods, name resolution, and what settings name."""
    if settings.namespace_network == "open":
        return None
    own: dict[str, Any] = {"podSelector": {}}
    dns = {
        "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": _NODE_LOCAL_DNS}}],
        "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
    }
    callers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in settings.namespace_ingress_from
    ]
    outside = [{"ipBlock": {"cidr": str(cidr)}} for cidr in settings.namespace_egress_to]
    return {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [own, *callers]}],
        "egress": [{"to": [own, *outside]}, dns],
    }
