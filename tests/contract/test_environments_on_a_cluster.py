"""Environments from change to namespace and back, on a real API server, with exactly the rights that the docs name."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from adapters.cluster import KubernetesCluster
from adapters.kubernetes_api import KubernetesApi
from adapters.namespace_guards import guards
from adapters.records import Application, JobRecord, JobState
from adapters.settings import Settings
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.projects import CreateProject, DeleteProject
from gitops.problems import AlreadyExists
from tests.support.kubernetes import ControlPlane, control_plane
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

RULES = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["resourcequotas", "limitranges"], "verbs": ["get", "create", "patch", "delete"]},
    {
        "apiGroups": ["networking.k8s.io"],
        "resources": ["networkpolicies"],
        "verbs": ["get", "create", "patch", "delete"],
    },
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["list"]},
]
"""What docs/operations.md says that the credentials need."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with control_plane() as running:
        for name, rules in (("lucity", RULES), ("reader-of-nothing", RULES[:-1])):
            role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
            running.kubectl("create", "serviceaccount", name)
            running.kubectl("apply", "-f", "-", given=yaml.safe_dump({**role, "rules": rules}))
            account = f"--serviceaccount=default:{name}"
            running.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
        yield running


@pytest.fixture
def lab(plane: ControlPlane, tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url, kubeconfig=kubeconfig_of(plane, "lucity", tmp_path))) as made:
        made.flush()
        yield made


def kubeconfig_of(plane: ControlPlane, account: str, folder: Path) -> str:
    """A file with the credentials of a service account."""
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": plane.kubectl("create", "token", account).strip()}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def keep(plane: ControlPlane, namespace: str) -> None:
    """Put something into a namespace that does not go by itself."""
    kept = {"name": "kept", "namespace": namespace, "finalizers": ["example.com/kept"]}
    plane.kubectl("apply", "-f", "-", given=yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept}))


def let_go(plane: ControlPlane, namespace: str) -> None:
    patch = '{"metadata": {"finalizers": []}}'
    plane.kubectl("patch", "configmap", "kept", "-n", namespace, "--type=merge", "-p", patch)


def done(lab: Lab, job: JobRecord) -> None:
    lab.work(job.project)
    ended = lab.ended(job.id)
    assert ended.state is JobState.SUCCEEDED, ended


def namespaces(plane: ControlPlane, project: str) -> dict[str, str]:
    """The namespaces of a project, with the commit that each was made for."""
    listed: list[dict[str, Any]] = json.loads(
        plane.kubectl("get", "namespaces", "-l", f"lucity.dev/project={project}", "-o", "json")
    )["items"]
    return {one["metadata"]["name"]: one["metadata"]["annotations"]["lucity.dev/environment-commit"] for one in listed}


def test_namespaces_come_and_go_with_their_environments(lab: Lab, plane: ControlPlane) -> None:
    with lab.observer():
        creation = lab.admit(CreateProject("shop", ("development", "staging")))
        done(lab, creation)
        commit = lab.job(creation.id).commit
        assert namespaces(plane, "shop") == {"shop-development": commit, "shop-staging": commit}
        assert "lucity" in plane.kubectl("get", "networkpolicies", "-n", "shop-staging", "-o", "name")
        deletion = lab.admit(DeleteEnvironment("shop", "staging", confirm="staging"))
        again = lab.admit(CreateEnvironment("shop", "staging"))
        done(lab, deletion)
        done(lab, again)
        assert namespaces(plane, "shop") == {"shop-development": commit, "shop-staging": lab.job(again.id).commit}
        done(lab, lab.admit(DeleteProject("shop", confirm="shop")))
    assert namespaces(plane, "shop") == {}


def test_a_strangers_namespace_of_that_name_is_refused_and_left_alone(lab: Lab, plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "store-production")
    before = plane.kubectl("get", "namespace", "store-production", "-o", "json")
    with lab.observer():
        done(lab, lab.admit(CreateProject("store", ("development",))))
        refused = lab.admit(CreateEnvironment("store", "production"))
        lab.work("store")
        job = lab.ended(refused.id)
        assert isinstance(job.problem, AlreadyExists)
        assert (job.problem.what, job.problem.name) == ("namespace", "store-production")
        done(lab, lab.admit(DeleteProject("store", confirm="store")))
    assert plane.kubectl("get", "namespace", "store-production", "-o", "json") == before


def test_the_object_that_keeps_a_namespace_is_named_in_the_jobs_step(lab: Lab, plane: ControlPlane) -> None:
    with lab.observer():
        done(lab, lab.admit(CreateProject("market", ("development", "staging"))))
        keep(plane, "market-staging")
        deletion = lab.admit(DeleteEnvironment("market", "staging", confirm="staging"))
        lab.work("market")
        said = "still in it: configmaps/kept (finalizer example.com/kept)"
        lab.wait(said, lambda: any(said in (step.message or "") for step in lab.job(deletion.id).steps))
        assert lab.job(deletion.id).state is JobState.WAITING
        let_go(plane, "market-staging")
        done(lab, deletion)
    assert set(namespaces(plane, "market")) == {"market-development"}


def test_the_service_account_of_a_pod_is_enough(plane: ControlPlane, tmp_path: Path) -> None:
    server = urlsplit(yaml.safe_load(plane.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    (tmp_path / "token").write_text(plane.kubectl("create", "token", "lucity").strip())
    shutil.copy(plane.folder / "pki" / "apiserver.crt", tmp_path / "ca.crt")
    environ = {"KUBERNETES_SERVICE_HOST": str(server.hostname), "KUBERNETES_SERVICE_PORT": str(server.port)}
    cluster = KubernetesCluster(KubernetesApi.by("in-cluster", tmp_path, environ), guards(Settings()))
    cluster.ensure_namespace(Application("pod", "dev", "pod-dev", "a" * 40, ephemeral=False))
    assert set(namespaces(plane, "pod")) == {"pod-dev"}


def test_without_the_right_to_list_the_kind_of_what_keeps_a_namespace_is_named(
    plane: ControlPlane, tmp_path: Path
) -> None:
    api = KubernetesApi.by(kubeconfig_of(plane, "reader-of-nothing", tmp_path))
    cluster = KubernetesCluster(api, guards(Settings()))
    dev = Application("yard", "dev", "yard-dev", "a" * 40, ephemeral=False)
    cluster.ensure_namespace(dev)
    keep(plane, "yard-dev")
    said = "the namespace yard-dev is going; still in it: configmaps"
    wait_until(lambda: cluster.delete_namespace(dev) == said, said)
    let_go(plane, "yard-dev")
    wait_until(lambda: cluster.delete_namespace(dev) is None, "yard-dev to be gone")
