"""Namespaces as ports.Cluster has them: the twin, and a real Kubernetes API server with its namespace controller."""

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from adapters.cluster import KubernetesCluster
from adapters.kubernetes_api import KubernetesApi
from adapters.namespace_guards import guards
from adapters.ports import Cluster, Unreachable
from adapters.records import Application
from adapters.settings import Settings
from gitops.problems import AlreadyExists, Conflict, ConflictCode, Refused
from tests.support.clusters import RealWorld, TwinWorld, World
from tests.support.kubernetes import ControlPlane
from tests.support.waiting import wait_until

FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture(params=["twin", "real"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "twin":
        return TwinWorld()
    return RealWorld(request.getfixturevalue("plane"), tmp_path)


@pytest.fixture
def project() -> str:
    """A name of its own for each test: the control plane is shared."""
    return f"shop-{uuid4().hex[:8]}"


def environment(project: str, name: str = "dev", identity: str = FIRST, *, ephemeral: bool = False) -> Application:
    return Application(project, name, f"{project}-{name}", identity, ephemeral)


def refusal(cluster: Cluster, application: Application) -> object:
    with pytest.raises(Refused) as refused:
        cluster.ensure_namespace(application)
    return refused.value.problem


def until_gone(world: World, application: Application) -> None:
    wait_until(lambda: world.cluster.delete_namespace(application) is None, f"{application.namespace} to be gone")


class TestCluster:
    """What every Cluster promises."""

    def test_a_namespace_is_made_once_and_known_by_its_project(self, world: World, project: str) -> None:
        dev, staging = environment(project), environment(project, "staging", ephemeral=True)
        for application in (dev, staging, dev):
            world.cluster.ensure_namespace(application)
        assert sorted(world.cluster.namespaces(project), key=lambda one: one.environment) == [dev, staging]
        assert world.cluster.namespaces("another") == []
        assert not world.cluster.is_foreign(dev.namespace)

    def test_what_changed_of_an_environment_is_brought_up_to_date(self, world: World, project: str) -> None:
        world.cluster.ensure_namespace(environment(project))
        world.cluster.ensure_namespace(environment(project, ephemeral=True))
        assert world.cluster.namespaces(project) == [environment(project, ephemeral=True)]

    def test_a_strangers_namespace_is_refused_and_left_alone(self, world: World, project: str) -> None:
        dev = environment(project)
        world.make_foreign(dev.namespace)
        assert world.cluster.is_foreign(dev.namespace)
        problem = refusal(world.cluster, dev)
        assert isinstance(problem, AlreadyExists)
        assert (problem.what, problem.name) == ("namespace", dev.namespace)
        assert world.cluster.delete_namespace(dev) is None
        assert world.exists(dev.namespace)
        assert world.cluster.namespaces(project) == []
        assert world.cluster.is_foreign(dev.namespace)

    def test_one_that_is_there_answers(self, world: World) -> None:
        world.cluster.check()

    def test_no_namespace_is_nobodys(self, world: World, project: str) -> None:
        assert not world.cluster.is_foreign(f"{project}-none")

    def test_deleting_ends_with_the_namespace_gone(self, world: World, project: str) -> None:
        dev = environment(project)
        world.cluster.ensure_namespace(dev)
        until_gone(world, dev)
        assert not world.exists(dev.namespace)
        assert world.cluster.delete_namespace(dev) is None

    def test_an_earlier_namespace_has_to_go_before_the_new_one_is_made(self, world: World, project: str) -> None:
        earlier, later = environment(project), environment(project, identity=SECOND)
        world.cluster.ensure_namespace(earlier)
        problem = refusal(world.cluster, later)
        assert isinstance(problem, Conflict)
        assert problem.code is ConflictCode.BEING_DELETED
        assert world.cluster.delete_namespace(later) is None
        assert world.cluster.namespaces(project) == [earlier]
        until_gone(world, earlier)
        world.cluster.ensure_namespace(later)
        assert world.cluster.namespaces(project) == [later]

    def test_what_keeps_a_namespace_is_named_until_it_lets_go(self, world: World, project: str) -> None:
        dev = environment(project)
        world.cluster.ensure_namespace(dev)
        kept = world.keep(dev.namespace)
        wait_until(lambda: kept in (world.cluster.delete_namespace(dev) or ""), f"{kept} to be named")
        assert world.cluster.namespaces(project) == [dev]
        assert isinstance(refusal(world.cluster, dev), Conflict)
        world.let_go(dev.namespace)
        until_gone(world, dev)
        assert not world.exists(dev.namespace)

    def test_a_cluster_that_does_not_answer_is_unreachable(self, world: World, project: str) -> None:
        cluster = world.unreachable()
        for ask in (lambda: cluster.is_foreign(project), lambda: cluster.namespaces(project), cluster.check):
            with pytest.raises(Unreachable) as outage:
                ask()
            assert outage.value.component == "cluster"
            assert "MaxRetryError" not in str(outage.value)


def spec(plane: ControlPlane, kind: str, namespace: str) -> dict[str, object] | None:
    """The spec of our object of a kind, None when there is none."""
    items = yaml.safe_load(plane.kubectl("get", kind, "-n", namespace, "-o", "json"))["items"]
    found = [item["spec"] for item in items if item["metadata"]["name"] == "lucity"]
    return found[0] if found else None


def test_a_namespace_carries_the_promised_labels_and_identity(plane: ControlPlane, project: str) -> None:
    dev = environment(project, ephemeral=True)
    KubernetesCluster(plane.api(), ()).ensure_namespace(dev)
    metadata = yaml.safe_load(plane.kubectl("get", "namespace", dev.namespace, "-o", "json"))["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "lucity",
        "kubernetes.io/metadata.name": dev.namespace,
        "lucity.dev/environment": "dev",
        "lucity.dev/ephemeral": "true",
        "lucity.dev/project": project,
    }
    assert metadata["annotations"] == {"lucity.dev/environment-commit": FIRST}


def test_quota_defaults_and_network_policy_stand_in_a_namespace_as_settings_say(
    plane: ControlPlane, project: str
) -> None:
    dev = environment(project)
    settings = Settings.model_validate(
        {
            "namespace_quota": {"pods": "7"},
            "container_limits": {"memory": "1Gi"},
            "namespace_ingress_from": ["gateways"],
            "namespace_egress_to": ["10.0.0.0/8"],
        }
    )
    KubernetesCluster(plane.api(), guards(settings)).ensure_namespace(dev)
    assert spec(plane, "resourcequota", dev.namespace) == {"hard": {"pods": "7"}}
    assert spec(plane, "limitrange", dev.namespace) == {
        "limits": [
            {"type": "Container", "default": {"memory": "1Gi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}
        ]
    }
    policy = spec(plane, "networkpolicy", dev.namespace)
    assert policy is not None
    assert policy["podSelector"] == {}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    gateways = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}
    assert policy["ingress"] == [{"from": [{"podSelector": {}}, gateways]}]
    egress = policy["egress"]
    assert isinstance(egress, list)
    assert egress[0] == {"to": [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    assert [port["port"] for port in egress[1]["ports"]] == [53, 53]


def test_what_settings_no_longer_ask_for_is_removed_and_what_somebody_removed_is_put_back(
    plane: ControlPlane, project: str
) -> None:
    dev = environment(project)
    RealWorld(plane, Path()).cluster.ensure_namespace(dev)
    plane.kubectl("delete", "networkpolicy", "lucity", "-n", dev.namespace)
    RealWorld(plane, Path()).cluster.ensure_namespace(dev)
    assert spec(plane, "networkpolicy", dev.namespace) is not None
    without = Settings(namespace_quota={}, container_requests={}, namespace_network="open")
    KubernetesCluster(plane.api(), guards(without)).ensure_namespace(dev)
    assert [spec(plane, kind, dev.namespace) for kind in ("resourcequota", "limitrange", "networkpolicy")] == [None] * 3


def test_a_namespace_that_somebody_deleted_is_made_again_once_that_was_seen(plane: ControlPlane, project: str) -> None:
    cluster = KubernetesCluster(plane.api(), ())
    cluster.ensure_namespace(environment(project))
    plane.kubectl("delete", "namespace", environment(project).namespace)
    assert cluster.namespaces(project) == []
    cluster.ensure_namespace(environment(project))
    assert cluster.namespaces(project) == [environment(project)]


def test_a_pod_that_says_nothing_of_resources_fits_the_default_quota(plane: ControlPlane, project: str) -> None:
    dev = environment(project)
    RealWorld(plane, Path()).cluster.ensure_namespace(dev)
    wait_until(lambda: plane.kubectl("get", "serviceaccount", "-n", dev.namespace, "-o", "name"), "a service account")
    made = plane.kubectl("run", "one", "--image=example.com/one", "-n", dev.namespace, "-o", "json")
    assert yaml.safe_load(made)["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}}


@pytest.mark.parametrize("text", [None, "no: kubeconfig", "[", ""])
def test_a_kubeconfig_that_cannot_be_used_is_a_sentence(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=r"LUCITY_KUBECONFIG=.* cannot be used"):
        KubernetesApi.by(str(path))


def test_the_service_account_of_a_pod_is_asked_for_only_inside_one() -> None:
    with pytest.raises(ValueError, match="LUCITY_KUBECONFIG=in-cluster cannot be used"):
        KubernetesApi.by("in-cluster")


def test_credentials_that_the_cluster_refuses_are_an_outage_that_says_so(plane: ControlPlane, tmp_path: Path) -> None:
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = "wrong"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    with closing(KubernetesApi.by(str(path))) as api, pytest.raises(Unreachable, match=r"refuses .*Unauthorized"):
        KubernetesCluster(api, ()).namespaces("shop")
