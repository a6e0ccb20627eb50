"""Chart lucity: what an install makes of values, judged by Kubernetes' own types."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import Settings
from tests.support import softserve
from tests.support.installing import (
    LEAST,
    OPTIONS,
    RELEASE,
    Installation,
    merged,
    named,
    secrets,
    variables,
)
from tests.support.kubernetes_models import faults

PROCESSES = ["api", "observer", "worker"]


@pytest.fixture(scope="module", params=OPTIONS.values(), ids=list(OPTIONS))
def objects(chart: Installation, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Everything, once for each option."""
    return chart.objects(request.param)


def test_kubernetes_knows_every_object_of_every_option(objects: list[dict[str, Any]]) -> None:
    assert {one["metadata"]["name"]: faults(one) for one in objects if faults(one)} == {}
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    clusterwide = {one["kind"] for one in objects if one["metadata"].get("namespace") != "delivery"}
    assert clusterwide <= {"ClusterRole", "ClusterRoleBinding"}


def test_every_process_runs_restricted(objects: list[dict[str, Any]]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a read-only root."""
    deployments = named(objects, "Deployment")
    assert sorted(deployments.keys() - {"builder"}) == PROCESSES
    for deployment in map(deployments.__getitem__, PROCESSES):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_no_option_carries_a_secret(objects: list[dict[str, Any]]) -> None:
    assert "Secret" not in {one["kind"] for one in objects}
    for deployment in named(objects, "Deployment").values():
        assert not [name for name in variables(deployment) if re.search("TOKEN$|PASSWORD$|REDIS_URL$", name)]


def test_every_variable_is_a_setting_that_lucity_takes(objects: list[dict[str, Any]]) -> None:
    for deployment in named(objects, "Deployment").values():
        given = {name.removeprefix("LUCITY_").lower(): value for name, value in variables(deployment).items()}
        assert given.keys() <= Settings.model_fields.keys()
        given.pop("redis_url_file")
        Settings.model_validate({key: json.loads(text) if text[0] in "{[" else text for key, text in given.items()})


def test_every_file_that_a_variable_names_is_mounted(objects: list[dict[str, Any]]) -> None:
    for deployment in named(objects, "Deployment").values():
        files = {value for value in variables(deployment).values() if value.startswith("/run/lucity/")}
        assert files == {f"/run/lucity/{path}" for path in secrets(deployment)}


def test_selectors_find_the_pods_that_they_mean(objects: list[dict[str, Any]]) -> None:
    labels = {
        process: one["spec"]["template"]["metadata"]["labels"] for process, one in named(objects, "Deployment").items()
    }
    for kind in ("Deployment", "PodDisruptionBudget", "ServiceMonitor"):
        for process, one in named(objects, kind).items():
            assert one["spec"]["selector"]["matchLabels"].items() <= labels[process].items()
    for process, one in named(objects, "NetworkPolicy").items():
        assert one["spec"]["podSelector"]["matchLabels"].items() <= labels[process].items()
    service = named(objects, "Service")["api"]
    assert [process for process in PROCESSES if service["spec"]["selector"].items() <= labels[process].items()] == [
        "api"
    ]


def test_who_talks_to_the_cluster_may_do_what_the_adapter_does_and_no_more(chart: Installation) -> None:
    objects = chart.objects()
    rules = {
        process: {
            (resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
        }
        for process, role in named(objects, "ClusterRole").items()
    }
    guards = {(kind, verb) for kind in ("resourcequotas", "limitranges", "networkpolicies") for verb in _GUARDING}
    assert rules == {
        "api": {("pods", "list"), ("pods", "watch"), ("pods/log", "get")},
        "worker": {("namespaces", "get")},
        "observer": {*guards, *(("namespaces", verb) for verb in (*_GUARDING, "list"))},
    }
    mounted = {
        process: one["spec"]["template"]["spec"]["automountServiceAccountToken"]
        for process, one in named(objects, "Deployment").items()
    }
    assert mounted == {"api": True, "worker": True, "observer": True}


_GUARDING = ("get", "create", "patch", "delete")


def test_without_access_to_its_own_cluster_no_process_gets_a_token_of_it(chart: Installation) -> None:
    for option in ("no cluster", "another cluster"):
        objects = chart.objects(OPTIONS[option])
        assert named(objects, "ClusterRole") == named(objects, "ClusterRoleBinding") == {}
        for deployment in named(objects, "Deployment").values():
            assert deployment["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_who_keeps_secrets_in_kubernetes_may_do_so_in_its_own_namespace_only(chart: Installation) -> None:
    assert named(chart.objects(), "Role") == named(chart.objects(), "RoleBinding") == {}
    objects = chart.objects(OPTIONS["secrets in Kubernetes"])
    (role,) = named(objects, "Role").values()
    (binding,) = named(objects, "RoleBinding").values()
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == RELEASE["namespace"]
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update", "delete"]}
    ]
    deployments = named(objects, "Deployment")
    accounts = {one["spec"]["template"]["spec"]["serviceAccountName"] for one in deployments.values()}
    assert {subject["name"] for subject in binding["subjects"]} == accounts
    for deployment in deployments.values():
        assert deployment["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
        assert variables(deployment)["LUCITY_SECRETS"] == "kubernetes"
        assert variables(deployment)["LUCITY_KUBECONFIG"] == "in-cluster"
    elsewhere = merged(LEAST, {**OPTIONS["secrets in Kubernetes"], "cluster": {"access": "none"}})
    assert "cluster.access: in-cluster, for secrets.in: kubernetes" in chart.refusal(elsewhere)


@pytest.mark.parametrize(("kind", "key"), [("Secret", "tls.pem"), ("ConfigMap", "ca.crt")])
def test_every_process_trusts_an_authority_of_ones_own(chart: Installation, kind: str, key: str) -> None:
    for deployment in named(chart.objects(OPTIONS[f"an authority in a {kind}"]), "Deployment").values():
        assert variables(deployment)["LUCITY_CA_FILE"] == "/run/lucity/trust/ca.crt"
        assert secrets(deployment)["trust/ca.crt"] == ("lucity-ca", key)
    both = merged(LEAST, {"trust": {"existingSecret": "a", "existingConfigMap": "b"}})
    assert "trust: one of existingConfigMap and existingSecret, not both" in chart.refusal(both)


def test_a_registry_and_its_login_are_whole(chart: Installation) -> None:
    for deployment in named(chart.objects(OPTIONS["a registry with a login"]), "Deployment").values():
        assert variables(deployment)["LUCITY_REGISTRY"] == "ghcr.io/acme"
        assert variables(deployment)["LUCITY_REGISTRY_USERNAME"] == "robot"
    login = {"username": "robot", "password": {"existingSecret": "lucity-registry"}}
    assert "registry.address:" in chart.refusal(merged(LEAST, {"registry": login}))
    nameless = {"address": "ghcr.io", "password": login["password"]}
    assert "registry.username:" in chart.refusal(merged(LEAST, {"registry": nameless}))
    open_door = {"address": "ghcr.io", "username": "robot"}
    said = chart.refusal(merged(LEAST, {"registry": open_door}))
    assert "create secret generic lucity-registry --from-file=password=FILE" in said


def test_a_scaled_process_leaves_its_number_to_the_autoscaler(chart: Installation) -> None:
    objects = chart.objects(OPTIONS["autoscaling"])
    assert {name: "replicas" in one["spec"] for name, one in named(objects, "Deployment").items()} == {
        "api": False,
        "worker": False,
        "observer": True,
    }
    scalers = named(objects, "HorizontalPodAutoscaler")
    assert {name: (one["spec"]["minReplicas"], one["spec"]["maxReplicas"]) for name, one in scalers.items()} == {
        "api": (2, 9),
        "worker": (1, 6),
    }
    assert {name: one["spec"]["replicas"] for name, one in named(chart.objects(), "Deployment").items()} == {
        "api": 2,
        "worker": 2,
        "observer": 2,
    }


def test_the_api_is_alive_and_ready_by_itself(chart: Installation) -> None:
    (container,) = named(chart.objects(), "Deployment")["api"]["spec"]["template"]["spec"]["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz?exclude=git&exclude=worker&exclude=observer&exclude=registry&exclude=cluster",
    }


def test_only_the_api_may_be_called(chart: Installation) -> None:
    policies = named(chart.objects(OPTIONS["network"]), "NetworkPolicy")
    assert {name: len(one["spec"].get("ingress", [])) for name, one in policies.items()} == {
        "api": 1,
        "worker": 0,
        "observer": 0,
    }
    for one in policies.values():
        assert one["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert [port["port"] for rule in one["spec"]["egress"] for port in rule["ports"]] == [53, 53, 6379]
    assert named(chart.objects(OPTIONS["open network"]), "NetworkPolicy") == {}


def test_users_come_in_by_the_public_name(chart: Installation) -> None:
    ingress = named(chart.objects(OPTIONS["ingress"]), "Ingress")["api"]["spec"]
    assert ingress["rules"][0]["host"] == "lucity.example.com"
    assert ingress["tls"] == [{"hosts": ["lucity.example.com"], "secretName": "lucity-tls"}]
    objects = chart.objects(OPTIONS["route"], {"publicUrl": "https://lucity.example.com:8443/"})
    assert named(objects, "HTTPRoute")["api"]["spec"]["hostnames"] == ["lucity.example.com"]


def test_pods_that_share_no_folder_share_a_soft_serve(tmp_path: Path) -> None:
    with softserve.running(tmp_path / "host") as server:
        pods = [server.host(tmp_path / name, tmp_path / name / "secrets") for name in ("one", "two")]
        for pod in pods:
            pod.prepare()
        pods[0].create("shop")
        assert [pod.projects() for pod in pods] == [["shop"], ["shop"]]
        assert [pod.heads(["shop"]) for pod in pods] == [{}, {}]
