"""A cluster and a look past Lucity at what stands in it: the twin, and a real Kubernetes API server."""

from pathlib import Path
from typing import Protocol

import yaml

from adapters.cluster import KubernetesCluster
from adapters.kubernetes_api import KubernetesApi
from adapters.namespace_guards import guards
from adapters.ports import Cluster
from adapters.settings import Settings
from tests.fakes import FakeCluster, FakeNamespace
from tests.support.kubernetes import ControlPlane


class World(Protocol):
    """A cluster and the hands of somebody else in it."""

    @property
    def cluster(self) -> Cluster:
        """The one to try."""

    def make_foreign(self, namespace: str) -> None:
        """Somebody makes a namespace."""

    def exists(self, namespace: str) -> bool:
        """Whether there is one."""

    def keep(self, namespace: str) -> str:
        """Put something into it that will not go by itself; its name."""

    def let_go(self, namespace: str) -> None:
        """Take that away."""

    def unreachable(self) -> Cluster:
        """A cluster that does not answer."""


class TwinWorld:
    """The in-memory twin."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()

    def make_foreign(self, namespace: str) -> None:
        self.cluster.namespaces_by_name[namespace] = FakeNamespace(None)

    def exists(self, namespace: str) -> bool:
        return namespace in self.cluster.namespaces_by_name

    def keep(self, namespace: str) -> str:
        self.cluster.namespaces_by_name[namespace].keeps = "configmaps/kept (finalizer example.com/kept)"
        return "configmaps/kept (finalizer example.com/kept)"

    def let_go(self, namespace: str) -> None:
        self.cluster.namespaces_by_name[namespace].keeps = None

    def unreachable(self) -> Cluster:
        return FakeCluster(outage="nobody there")


class RealWorld:
    """A real control plane."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self.cluster = KubernetesCluster(plane.api(), guards(Settings()), again_seconds=0)

    def make_foreign(self, namespace: str) -> None:
        self.plane.kubectl("create", "namespace", namespace)

    def exists(self, namespace: str) -> bool:
        return self.plane.api().get(f"/api/v1/namespaces/{namespace}") is not None

    def keep(self, namespace: str) -> str:
        kept = {"name": "kept", "namespace": namespace, "finalizers": ["example.com/kept"]}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept}
        self.plane.kubectl("apply", "-f", "-", given=yaml.safe_dump(manifest))
        return "configmaps/kept (finalizer example.com/kept)"

    def let_go(self, namespace: str) -> None:
        patch = '{"metadata": {"finalizers": []}}'
        self.plane.kubectl("patch", "configmap", "kept", "-n", namespace, "--type=merge", "-p", patch)

    def unreachable(self) -> Cluster:
        config = yaml.safe_load(self.plane.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        path = self.folder / "nowhere"
        path.write_text(yaml.safe_dump(config))
        return KubernetesCluster(KubernetesApi.by(str(path)), ())
