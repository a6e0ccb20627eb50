"""The tree of live objects, from a real Argo CD: named by LUCITY_TEST_ARGOCD_URL and _TOKEN, or _USERNAME and
_PASSWORD.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.realshop import Shop
from tests.support.realstack import argocd_settings
from tests.support.streams import Stream, over_sse, over_websocket
from tests.support.up import Up, running

NODE = "uid parentUids group version kind namespace name health message images createdAt"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "data", variables=argocd_settings()) as started:
        yield started


@pytest.fixture(scope="module")
def shop(up: Up) -> Iterator[Shop]:
    made = Shop(up, ("api",))
    yield made
    made.delete()


def read(shop: Shop, environment: str = "development") -> list[dict[str, Any]] | None:
    """The tree now."""
    query = f"""query ($project: String!, $name: String!) {{
      environment(project: $project, name: $name) {{ resourceTree {{ {NODE} }} }} }}"""
    given = {"project": shop.name, "name": environment}
    found: list[dict[str, Any]] | None = shop.client.insist(query, given)["environment"]["resourceTree"]
    return found


def watch(shop: Shop, environment: str = "development") -> str:
    """The subscription."""
    return f"""subscription {{ resourceTree(project: "{shop.name}", environment: "{environment}") {{
      at nodes {{ {NODE} }} }} }}"""


def chain(nodes: list[dict[str, Any]], image: str) -> list[str]:
    """The kinds from a pod with this image up to what nothing owns; empty when there is no such pod."""
    by_uid = {node["uid"]: node for node in nodes}
    pod = next((node for node in nodes if node["kind"] == "Pod" and image in node["images"]), None)
    kinds = []
    while pod is not None:
        kinds.append(pod["kind"])
        pod = next((by_uid[uid] for uid in pod["parentUids"]), None)
    return kinds


def running_pods(stream: Stream, image: str) -> dict[str, Any]:
    """The first tree whose pods are all of this image, and healthy."""
    for item in stream:
        pods = [node for node in item["nodes"] if node["kind"] == "Pod"]
        if pods and all(pod["images"] == [image] and pod["health"] == "HEALTHY" for pod in pods):
            return item
    raise AssertionError(f"the stream ended without {image}: {stream.error}")


def test_a_deployment_owns_its_replica_set_and_that_its_pods(shop: Shop) -> None:
    shop.ends(shop.deploy("api", "a1b2c3d"), "DEPLOYED")
    nodes = shop.wait("the tree", lambda: read(shop) or None)
    assert chain(nodes, "registry.local/api:a1b2c3d") == ["Pod", "ReplicaSet", "Deployment"]
    assert {node["namespace"] for node in nodes} == {shop.namespace("development")}
    assert {node["health"] for node in nodes if node["kind"] in {"Pod", "Deployment", "Service"}} == {"HEALTHY"}
    assert all(node["createdAt"] for node in nodes)
    uids = {node["uid"] for node in nodes}
    assert {uid for node in nodes for uid in node["parentUids"]} <= uids


def test_a_tree_at_rest_is_sent_at_once_and_a_rollout_pod_by_pod(shop: Shop) -> None:
    shop.well("development")
    with over_websocket(shop.up, watch(shop)) as stream, over_sse(shop.up, watch(shop)) as other:
        first = next(stream)
        assert chain(first["nodes"], "registry.local/api:a1b2c3d") == ["Pod", "ReplicaSet", "Deployment"]
        shop.deploy("api", "b1b2c3d")
        last = running_pods(stream, "registry.local/api:b1b2c3d")
        told = running_pods(other, "registry.local/api:b1b2c3d")
    for item in (last, told):
        assert chain(item["nodes"], "registry.local/api:b1b2c3d") == ["Pod", "ReplicaSet", "Deployment"]


def test_a_pod_that_cannot_start_says_why(shop: Shop) -> None:
    shop.change("updateService", project=shop.name, name="api", image="registry.local/broken/api")
    with over_websocket(shop.up, watch(shop)) as stream:
        shop.deploy("api", "c1b2c3d")
        unwell = next(
            node
            for item in stream
            for node in item["nodes"]
            if node["kind"] == "Pod" and "registry.local/broken/api:c1b2c3d" in node["images"] and node["message"]
        )
    assert unwell["health"] in {"DEGRADED", "PROGRESSING"}
    shop.change("updateService", project=shop.name, name="api", image="registry.local/api")
    shop.ends(shop.deploy("api", "d1b2c3d"), "DEPLOYED")


def test_a_deleted_environment_ends_its_stream(shop: Shop) -> None:
    shop.well("staging")
    with over_websocket(shop.up, watch(shop, "staging")) as stream:
        next(stream)
        shop.change("deleteEnvironment", project=shop.name, name="staging", confirm="staging")
        list(stream)
    assert stream.error == ""
