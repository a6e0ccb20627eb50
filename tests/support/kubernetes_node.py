"""One node that runs pods, as KWOK simulates it, beside a real scheduler and the controllers of Deployments; with
tests/support/kwok.yaml. All containers share one log, which a test writes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.support.authority import Authority
from tests.support.kubernetes import ControlPlane, control_plane
from tests.support.real_tools import real_tool
from tests.support.valkey import _free_port

_STAGES = Path(__file__).with_name("kwok.yaml")
_CONTROLLERS = ("deployment-controller", "replicaset-controller", "node-lifecycle-controller")


@dataclass
class Node:
    """The node of a control plane."""

    plane: ControlPlane

    @property
    def log(self) -> Path:
        """What every container has written, as the container runtime keeps it."""
        return self.plane.folder / "pod.log"

    def write(self, *texts: str) -> None:
        """Every container writes lines."""
        with self.log.open("a") as log:
            for text in texts:
                log.write(f"{datetime.now(UTC).isoformat().replace('+00:00', 'Z')} stdout F {text}\n")

    def running(self, namespace: str) -> list[str]:
        """The names of the pods that run and are not going."""
        found = yaml.safe_load(self.plane.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
        return [
            pod["metadata"]["name"]
            for pod in found
            if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]


@contextmanager
def control_plane_with_node() -> Iterator[Node]:
    """A running control plane with one node; ends with the block."""
    for name in ("kube-scheduler", "kwok"):
        real_tool(name)
    with control_plane(*_CONTROLLERS) as plane:
        node = Node(plane)
        node.log.touch()
        port = _free_port()
        Authority(plane.folder / "kwok")
        stages = _STAGES.read_text().replace("KUBELET_PORT", str(port)).replace("POD_LOG", str(node.log))
        (plane.folder / "kwok.yaml").write_text(stages)
        plane.spawn("kube-scheduler", _scheduler(plane.folder))
        plane.spawn("kwok", _kwok(plane.folder, port))
        plane.kubectl("apply", "-f", "-", given=yaml.safe_dump(_node()))
        plane.wait("the node", lambda: " Ready " in plane.kubectl("get", "nodes"))
        yield node


def _scheduler(folder: Path) -> Sequence[str]:
    return [
        f"--kubeconfig={folder / 'kubeconfig'}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={_free_port()}",
    ]


def _kwok(folder: Path, port: int) -> Sequence[str]:
    return [
        f"--kubeconfig={folder / 'kubeconfig'}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        f"--server-address=127.0.0.1:{port}",
        f"--tls-cert-file={folder / 'kwok' / 'server.pem'}",
        f"--tls-private-key-file={folder / 'kwok' / 'server.pem'}",
        f"--config={folder / 'kwok.yaml'}",
    ]


def _node() -> dict[str, Any]:
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    metadata = {"name": "node-1", "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"allocatable": room, "capacity": room}}
