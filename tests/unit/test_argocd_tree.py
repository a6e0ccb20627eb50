"""Argo CD's tree of live objects, as our own nodes."""

from copy import deepcopy
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from adapters.argocd_tree import ORPHANED, parse_tree
from adapters.resource_nodes import ResourceNode
from gitops.rollouts import HealthStatus
from tests.support.argocd_trees import altered, recorded_tree, recorded_trees

DEPLOYMENT = "f8a1e13b-c362-43e4-8488-e854d8d14610"
REPLICA_SET = "0efa5f2d-a219-432b-b5a6-753a95b08b94"
POD = "427ecd02-a245-4b42-8e90-b97a8e2b7450"
SERVICE = "d31a26cc-6db7-4b93-a0c6-de9309a33b57"


@pytest.fixture
def nodes() -> dict[str, ResourceNode]:
    return {node.uid: node for node in parse_tree(recorded_tree())}


def one(**given: object) -> ResourceNode:
    """The only node of a tree."""
    (node,) = parse_tree({"nodes": [{"kind": "Pod", "version": "v1", "name": "api-1", "uid": "u1", **given}]})
    return node


def test_a_pod_is_read_as_argo_cd_shows_it(nodes: dict[str, ResourceNode]) -> None:
    assert nodes[POD] == ResourceNode(
        uid=POD,
        parent_uids=(REPLICA_SET,),
        group="",
        version="v1",
        kind="Pod",
        namespace="myapp-development",
        name="api-548657cc5f-vrfpg",
        health=HealthStatus.HEALTHY,
        images=("registry.local/api:f000001",),
        created_at=datetime(2026, 11, 23, 2, 42, 15, tzinfo=UTC),
    )


def test_every_kind_that_was_recorded_hangs_where_it_belongs(nodes: dict[str, ResourceNode]) -> None:
    found = {
        (node.group, node.kind, nodes[up].kind if (up := next(iter(node.parent_uids), "")) else None)
        for node in nodes.values()
    }
    assert found == {
        ("apps", "Deployment", None),
        ("apps", "ReplicaSet", "Deployment"),
        ("", "Pod", "ReplicaSet"),
        ("", "Service", None),
        ("", "Endpoints", "Service"),
        ("discovery.k8s.io", "EndpointSlice", "Service"),
    }
    assert len(nodes) == len(recorded_tree()["nodes"])
    assert nodes[REPLICA_SET].parent_uids == (DEPLOYMENT,)


def test_every_owner_is_in_the_same_tree() -> None:
    for tree in [recorded_tree(), *recorded_trees()]:
        found = parse_tree(tree)
        assert {up for node in found for up in node.parent_uids} <= {node.uid for node in found}


def test_an_owner_that_is_referred_to_without_a_uid_is_found_by_its_name(nodes: dict[str, ResourceNode]) -> None:
    (endpoints,) = (node for node in nodes.values() if node.kind == "Endpoints")
    assert endpoints.parent_uids == (SERVICE,)


def test_an_owner_outside_the_tree_is_left_out() -> None:
    assert one(parentRefs=[{"kind": "Node", "name": "node-1", "uid": "n1"}]).parent_uids == ()


def test_nothing_owns_itself() -> None:
    assert one(parentRefs=[{"kind": "Pod", "name": "api-1", "uid": "u1"}]).parent_uids == ()


def test_the_order_in_which_objects_are_told_makes_no_other_tree() -> None:
    shuffled = recorded_tree()
    shuffled["nodes"].reverse()
    assert parse_tree(shuffled) == parse_tree(recorded_tree())


def test_what_ticks_without_meaning_makes_no_other_tree() -> None:
    def tick(node: dict[str, Any]) -> None:
        node["resourceVersion"] = str(int(node["resourceVersion"]) + 1)
        node["info"] = [{"name": "cpu", "value": "250"}]

    assert parse_tree(altered(recorded_tree(), "Pod", tick)) == parse_tree(recorded_tree())


def test_a_recorded_rollout_tells_seven_trees_in_ten_frames() -> None:
    trees = [parse_tree(tree) for tree in recorded_trees()]
    assert [before != after for before, after in pairwise(trees)].count(True) + 1 == 7
    assert {node.health for tree in trees for node in tree if node.kind == "Pod"} == {
        HealthStatus.HEALTHY,
        HealthStatus.PROGRESSING,
    }


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (None, None),
        ({}, HealthStatus.UNKNOWN),
        ({"status": "Healthy"}, HealthStatus.HEALTHY),
        ({"status": "Degraded"}, HealthStatus.DEGRADED),
        ({"status": "Suspended"}, HealthStatus.SUSPENDED),
        ({"status": "Meditating"}, HealthStatus.UNKNOWN),
        ({"status": 7}, HealthStatus.UNKNOWN),
        ("Healthy", HealthStatus.UNKNOWN),
    ],
)
def test_health_is_what_is_told_and_nothing_where_nothing_is(health: object, expected: HealthStatus | None) -> None:
    assert one(health=health).health is expected


def test_why_it_is_unwell_is_said() -> None:
    node = one(health={"status": "Degraded", "message": "Back-off pulling image"})
    assert (node.health, node.message) == (HealthStatus.DEGRADED, "Back-off pulling image")


def test_an_object_that_is_missing_in_the_cluster_keeps_one_uid() -> None:
    missing = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "n", "name": "api"}
    tree = {"nodes": [{**missing, "health": {"status": "Missing"}}]}
    (node,) = parse_tree(tree)
    assert (node.uid, node.health) == (parse_tree(deepcopy(tree))[0].uid, HealthStatus.MISSING)
    assert node.uid != parse_tree({"nodes": [{**missing, "name": "web"}]})[0].uid


def test_an_orphan_says_that_it_is_one() -> None:
    tree = recorded_tree() | {"orphanedNodes": [{"kind": "ConfigMap", "version": "v1", "name": "stray", "uid": "o1"}]}
    (orphan,) = (node for node in parse_tree(tree) if node.kind == "ConfigMap")
    assert (orphan.uid, orphan.health, orphan.message) == ("o1", None, ORPHANED)


def test_an_object_of_the_whole_cluster_has_no_namespace() -> None:
    assert one(kind="Namespace", namespace="").namespace is None


@pytest.mark.parametrize("body", [None, [], {}, {"nodes": None}, {"nodes": "x"}, {"nodes": [None, 3, {"kind": "Pod"}]}])
def test_what_is_no_tree_is_an_empty_one(body: object) -> None:
    assert parse_tree(body) == ()


def test_values_of_other_kinds_than_expected_break_nothing() -> None:
    node = one(parentRefs="x", images=[1, "b", "a", "b"], createdAt="yesterday", namespace=3, info=None)
    assert (node.parent_uids, node.images, node.created_at, node.namespace) == ((), ("a", "b"), None, None)
