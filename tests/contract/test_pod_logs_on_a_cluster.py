"""Logs of a service's pods from a real Kubernetes API server, with a scheduler and a node that KWOK simulates, read by
the account that charts/lucity gives the API.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.kubernetes_api import configuration_by
from adapters.pod_follower import Bounds
from adapters.pod_logs import KubernetesPodLogs
from adapters.ports import PodLogs
from gitops.problems import Refused
from tests.support.installing import RELEASE, Installation
from tests.support.kubernetes_node import Node, control_plane_with_node
from tests.support.log_reader import Reader, numbered, tell, until

SPACE = "shop-development"
RIGHTS = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api", "namespace": SPACE},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"lucity.dev/project": "shop", "lucity.dev/service": "api"}},
        "template": {
            "metadata": {
                "labels": {
                    "lucity.dev/project": "shop",
                    "lucity.dev/environment": "development",
                    "lucity.dev/service": "api",
                }
            },
            "spec": {"containers": [{"name": "api", "image": "registry.example.com/shop/api:1"}]},
        },
    },
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    installation = Installation(tmp_path_factory.mktemp("helm"))
    rights = [one for one in installation.objects() if one["kind"] in RIGHTS]
    installation.close()
    with control_plane_with_node() as running:
        for name in (RELEASE["namespace"], SPACE):
            running.plane.kubectl("create", "namespace", name)
        running.plane.kubectl("apply", "--filename=-", given=yaml.safe_dump_all(rights))
        yield running


def logs_as(node: Node, process: str, folder: Path) -> PodLogs:
    """As the service account of a process reads them."""
    token = node.plane.kubectl("create", "token", f"lucity-{process}", "--namespace", RELEASE["namespace"]).strip()
    configuration = yaml.safe_load(node.plane.kubeconfig.read_text())
    configuration["users"][0]["user"]["token"] = token
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(configuration))
    return KubernetesPodLogs(partial(configuration_by, str(path)), Bounds(pause_seconds=0.5))


def test_a_running_pod_is_followed_and_so_is_its_replacement(node: Node, tmp_path: Path) -> None:
    node.write(*numbered(20))
    node.plane.kubectl("apply", "--filename=-", given=yaml.safe_dump(DEPLOYMENT))
    node.plane.wait("a running pod", lambda: len(node.running(SPACE)) == 1)
    (first,) = node.running(SPACE)

    async def story(reader: Reader) -> None:
        assert await reader.begin(tail=5).read(5) == numbered(20)[15:]
        node.write("live")
        assert await reader.read() == ["live"]
        node.plane.kubectl("delete", "pod", first, "--namespace", SPACE, "--wait=false")
        await until(lambda: [name for name in node.running(SPACE) if name != first], "the replacement")
        (second,) = node.running(SPACE)
        node.write("of the replacement")
        while (line := reader.lines[-1]).pod != second or line.text != "of the replacement":
            await reader.read()
        assert [line.text for line in reader.lines if line.pod == second] == [
            *numbered(20),
            "live",
            "of the replacement",
        ]
        before = [line.text for line in reader.lines if line.pod == first]
        assert before[:6] == [*numbered(20)[15:], "live"]

    tell(logs_as(node, "api", tmp_path), story)


def test_who_has_no_right_to_them_is_told_so(node: Node, tmp_path: Path) -> None:
    async def story(reader: Reader) -> None:
        with pytest.raises(Refused, match="does not let Lucity read logs: pods is forbidden"):
            await reader.begin().read()

    tell(logs_as(node, "worker", tmp_path), story)
