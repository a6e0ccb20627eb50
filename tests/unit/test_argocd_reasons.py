"""A degraded workload says why: what its worst pod waits for, and how it last ended."""

import json

from adapters.argocd_reasons import PodName, pod_words, unwell, worst_pod
from gitops.rollouts import HealthStatus, Observation, ResourceStatus, SyncStatus
from tests.support.recordings import OBSERVED_AT, loaded


def resource(kind: str, health: HealthStatus, name: str = "api") -> ResourceStatus:
    group = "apps" if kind == "Deployment" else ""
    return ResourceStatus(group, "v1", kind, "myapp-development", name, name, SyncStatus.SYNCED, health)


def node(kind: str, name: str, parent: tuple[str, str] | None, **more: object) -> dict[str, object]:
    parents = [{"kind": parent[0], "namespace": "myapp-development", "name": parent[1]}] if parent else []
    return {"kind": kind, "namespace": "myapp-development", "name": name, "parentRefs": parents, **more}


def pod(name: str, parent: str, health: str, created: str) -> dict[str, object]:
    return node("Pod", name, ("ReplicaSet", parent), health={"status": health}, createdAt=created)


def tree(*pods: dict[str, object]) -> dict[str, object]:
    owners = [node("ReplicaSet", f"{name}-1", ("Deployment", name)) for name in ("api", "web")]
    return {"nodes": [*owners, *pods]}


def test_only_degraded_workloads_are_asked_about() -> None:
    resources = (
        resource("Deployment", HealthStatus.DEGRADED),
        resource("Deployment", HealthStatus.PROGRESSING, "web"),
        resource("Service", HealthStatus.DEGRADED),
    )
    observed = Observation(
        "myapp", "development", None, SyncStatus.SYNCED, HealthStatus.DEGRADED, None, None, OBSERVED_AT
    )
    assert unwell(observed) == ()
    assert unwell(Observation(**{**vars(observed), "resources": resources})) == (resources[0],)


def test_the_newest_unwell_pod_of_the_workload_itself_is_the_worst() -> None:
    found = worst_pod(
        tree(
            pod("api-1-a", "api-1", "Progressing", "2026-01-01T00:00:00Z"),
            pod("api-1-b", "api-1", "Degraded", "2026-01-02T00:00:00Z"),
            pod("api-1-c", "api-1", "Healthy", "2026-01-03T00:00:00Z"),
            pod("web-1-a", "web-1", "Degraded", "2026-01-04T00:00:00Z"),
        ),
        resource("Deployment", HealthStatus.DEGRADED),
    )
    assert found == PodName("myapp-development", "api-1-b")


def test_the_recorded_tree_shows_no_unwell_pod() -> None:
    recorded = loaded("resource-tree.json")
    assert worst_pod(recorded, resource("Deployment", HealthStatus.DEGRADED)) is None
    for one in recorded["nodes"]:
        if one["kind"] == "Pod":
            one["health"] = {"status": "Degraded"}
    worst = worst_pod(recorded, resource("Deployment", HealthStatus.DEGRADED))
    assert worst is not None
    assert worst.name.startswith("api-")


def test_owners_that_own_each_other_are_survived() -> None:
    circle = [node("ReplicaSet", "a", ("ReplicaSet", "b")), node("ReplicaSet", "b", ("ReplicaSet", "a"))]
    nodes = [*circle, pod("p", "a", "Degraded", "")]
    assert worst_pod({"nodes": nodes}, resource("Deployment", HealthStatus.DEGRADED)) is None


def test_waiting_and_the_last_end_are_told() -> None:
    status = {
        "containerStatuses": [
            {
                "name": "api",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"reason": "Error", "exitCode": 3, "message": "no database"}},
            }
        ]
    }
    assert pod_words(json.dumps({"status": status})) == (
        "container api waits: CrashLoopBackOff: back-off 10s; container api ended with exit code 3: Error: no database"
    )


def test_a_pod_without_a_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    assert pod_words(json.dumps({"status": {"conditions": [condition]}})) == "Unschedulable: 0/1 nodes"


def test_a_pod_that_is_well_or_unreadable_says_nothing() -> None:
    ended = {"name": "init", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}
    assert pod_words(json.dumps({"status": {"initContainerStatuses": [ended]}})) is None
    assert pod_words("no json") is None
    assert pod_words("[]") is None
