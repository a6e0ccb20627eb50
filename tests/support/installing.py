"""The chart that installs Lucity, rendered with Helm's library in a process of its own."""

from pathlib import Path
from typing import Any

import yaml

from adapters.helm_pipe import HelmPipe

CHART = Path(__file__).parents[2] / "charts" / "lucity"
RELEASE = {"name": "lucity", "namespace": "delivery"}
LEAST: dict[str, Any] = {
    "publicUrl": "https://lucity.example.com",
    "image": {"repository": "registry.example.com/lucity"},
    "redis": {"existingSecret": "lucity-redis"},
    "keys": {"existingSecret": "lucity-keys"},
    "git": {
        "softserve": {
            "sshUrl": "ssh://soft-serve:23231",
            "httpUrl": "http://soft-serve:23232",
            "adminKey": {"existingSecret": "lucity-softserve"},
        }
    },
    "delivery": {"argocd": {"url": "https://argocd-server.argocd.svc", "token": {"existingSecret": "lucity-argocd"}}},
}
"""The least that an install needs."""
LOCAL: dict[str, Any] = {"git": {"host": "local"}, "storage": {"shared": {"enabled": True}}}
SPREAD = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
PROCESS: dict[str, Any] = {
    "replicas": 3,
    "maxUnavailable": 2,
    "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
    "serviceAccount": {"annotations": {"role": "x"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [{**SPREAD, "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "lucity"}}}],
    "priorityClassName": "system-cluster-critical",
}
BUILDER: dict[str, Any] = {
    "builder": {"enabled": True},
    "registry": {"address": "registry:5000", "insecure": True},
    "secrets": {"in": "kubernetes"},
}
"""The least that builders need."""
PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
OPTIONS: dict[str, dict[str, Any]] = {
    "least": {},
    "local Git host": LOCAL,
    "a volume that is there": {"storage": {"shared": {"enabled": True, "existingClaim": "lucity-data"}}},
    "a volume made": {
        "storage": {
            "shared": {"enabled": True, "storageClassName": "nfs", "size": "1Gi"},
            "caches": {"storageClassName": "fast", "size": "20Gi"},
        }
    },
    "claims for caches": {"storage": {"caches": {"storageClassName": "fast"}}},
    "image": {
        "image": {"digest": "sha256:" + "a" * 64, "pullPolicy": "Always", "pullSecrets": ["registry"], "tag": "1.0"}
    },
    "local delivery": {"delivery": {"by": "local"}},
    "an Argo CD elsewhere": {
        "delivery": {
            "argocd": {
                "url": "https://argocd.example.com/path",
                "namespace": "gitops",
                "destination": "https://10.0.0.1:6443",
                "gitUrl": "https://git.example.com",
                "token": {"key": "lucity"},
            }
        }
    },
    "no cluster": {"cluster": {"access": "none"}},
    "another cluster": {"cluster": {"access": "kubeconfig", "kubeconfig": {"existingSecret": "lucity-cluster"}}},
    "secrets in Kubernetes": {"secrets": {"in": "kubernetes"}},
    "an authority in a Secret": {"trust": {"existingSecret": "lucity-ca", "key": "tls.pem"}},
    "an authority in a ConfigMap": {"trust": {"existingConfigMap": "lucity-ca"}},
    "a registry": {"registry": {"address": "registry:5000", "insecure": True}},
    "a registry with a login": {
        "registry": {
            "address": "ghcr.io/acme",
            "username": "robot",
            "password": {"existingSecret": "lucity-registry"},
        }
    },
    "builders": BUILDER,
    "builders of one's own": {
        **BUILDER,
        "builder": {
            **PROCESS,
            "enabled": True,
            "image": {"repository": "example.com/builder", "tag": "2.0", "digest": "sha256:" + "b" * 64},
            "storage": {"storageClassName": "fast", "size": "100Gi"},
            "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]}],
        },
    },
    "builders beside a volume": {**BUILDER, "storage": {"shared": {"enabled": True}}},
    "settings": {"settings": {"LUCITY_LOG_LEVEL": "DEBUG", "LUCITY_NAMESPACE_QUOTA": '{"pods": "10"}'}},
    "processes": {"api": PROCESS, "worker": PROCESS, "observer": PROCESS},
    "autoscaling": {
        "api": {"autoscaling": {"enabled": True, "maxReplicas": 9}},
        "worker": {"autoscaling": {"enabled": True, "minReplicas": 1}},
    },
    "service": {"service": {"type": "LoadBalancer", "port": 8080, "annotations": {"a": "b"}}},
    "ingress": {
        "ingress": {"enabled": True, "className": "nginx", "annotations": {"a": "b"}, "tlsSecretName": "lucity-tls"}
    },
    "ingress without TLS": {"ingress": {"enabled": True}},
    "route": {
        "httpRoute": {"enabled": True, "annotations": {"a": "b"}, "parentRefs": [{"name": "public"}]},
    },
    "network": {
        "networkPolicy": {
            "from": [PEER],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 6379, "protocol": "TCP"}]}],
        }
    },
    "open network": {"networkPolicy": {"enabled": False}},
    "monitor": {"serviceMonitor": {"enabled": True, "interval": "10s", "labels": {"release": "prometheus"}}},
}
"""Every option of the chart at least once, to be merged over LEAST."""


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them: maps key by key, the rest as a whole."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = merged(below[key], above[key])
    return both


class Installation:
    """Renders the chart."""

    def __init__(self, scratch: Path) -> None:
        self._pipe = HelmPipe(scratch, timeout_seconds=30, memory_mib=512)

    def close(self) -> None:
        """End the process."""
        self._pipe.close()

    def answer(self, values: dict[str, Any]) -> dict[str, Any]:
        """What Helm says: {files} or {error, values}."""
        return self._pipe.ask({"base": "lucity", "folder": str(CHART), "values": yaml.safe_dump(values), **RELEASE})

    def refusal(self, values: dict[str, Any]) -> str:
        """Why these values do not do."""
        answer = self.answer(values)
        assert "error" in answer, f"rendered: {sorted(answer['files'])}"
        return str(answer["error"])

    def objects(self, *layers: dict[str, Any]) -> list[dict[str, Any]]:
        """All objects of LEAST with these values over it."""
        values = LEAST
        for layer in layers:
            values = merged(values, layer)
        answer = self.answer(values)
        assert "files" in answer, answer["error"]
        texts = [text for path, text in answer["files"].items() if path.endswith(".yaml")]
        return [found for text in texts for found in yaml.safe_load_all(text) if found]

    def notes(self, values: dict[str, Any]) -> str:
        """What an install says at its end."""
        return str(self.answer(merged(LEAST, values))["files"]["lucity/templates/NOTES.txt"])


def named(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind, by their component, else by their name."""
    found = [one for one in objects if one["kind"] == kind]
    return {one["metadata"]["labels"].get("app.kubernetes.io/component", one["metadata"]["name"]): one for one in found}


def variables(deployment: dict[str, Any]) -> dict[str, str]:
    """The variables of a process."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def secrets(deployment: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """File below /run/lucity → Secret (or ConfigMap) and key in it."""
    volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    return {
        item["path"]: (source["name"], item["key"])
        for projected in volumes["secrets"]["projected"]["sources"]
        for source in projected.values()
        for item in source["items"]
    }
