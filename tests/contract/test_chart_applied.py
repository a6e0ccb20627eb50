"""Chart lucity on a real Kubernetes API server: what it takes, and what the service accounts may then do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.cluster import KubernetesCluster
from adapters.kubernetes_api import KubernetesApi
from adapters.kubernetes_secrets import KubernetesSecrets
from adapters.namespace_guards import guards
from adapters.ports import Unreachable
from adapters.records import Application
from adapters.settings import Settings
from tests.support.installing import BUILDER, OPTIONS, RELEASE, Installation
from tests.support.kubernetes import ControlPlane, control_plane

NEEDS_DEFINITIONS = {"HTTPRoute", "ServiceMonitor"}
STAGING = Application("shop", "staging", "shop-staging", "a" * 40, ephemeral=False)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with control_plane() as running:
        running.kubectl("create", "namespace", RELEASE["namespace"])
        yield running


def apply(plane: ControlPlane, objects: list[dict[str, Any]], *more: str) -> None:
    known = [one for one in objects if one["kind"] not in NEEDS_DEFINITIONS]
    arguments = ["apply", "--server-side", "--force-conflicts", "--validate=strict", "--filename=-", *more]
    plane.kubectl(*arguments, given=yaml.safe_dump_all(known))


def as_account(plane: ControlPlane, process: str, folder: Path) -> KubernetesApi:
    """The API server as the service account of a process meets it."""
    token = plane.kubectl("create", "token", f"lucity-{process}", "--namespace", RELEASE["namespace"]).strip()
    configuration = yaml.safe_load(plane.kubeconfig.read_text())
    configuration["users"] = [{"name": "admin", "user": {"token": token}}]
    path = folder / process
    path.write_text(yaml.safe_dump(configuration))
    return KubernetesApi.by(str(path))


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_the_api_server_takes_every_option(plane: ControlPlane, chart: Installation, option: dict[str, Any]) -> None:
    apply(plane, chart.objects(option), "--dry-run=server")


def test_the_observers_account_makes_and_deletes_a_namespace(
    plane: ControlPlane, chart: Installation, tmp_path: Path
) -> None:
    apply(plane, chart.objects())
    api = as_account(plane, "observer", tmp_path)
    guarded = KubernetesCluster(api, guards(Settings()), again_seconds=0)
    guarded.ensure_namespace(STAGING)
    bare = Settings(namespace_quota={}, container_requests={}, namespace_network="open")
    cluster = KubernetesCluster(api, guards(bare), again_seconds=0)
    cluster.ensure_namespace(STAGING)
    assert cluster.namespaces("shop") == [STAGING]
    assert "is going" in (cluster.delete_namespace(STAGING) or "")
    api.close()


def test_the_workers_account_looks_and_changes_nothing(
    plane: ControlPlane, chart: Installation, tmp_path: Path
) -> None:
    apply(plane, chart.objects())
    api = as_account(plane, "worker", tmp_path)
    cluster = KubernetesCluster(api, guards(Settings()))
    assert cluster.is_foreign("default")
    with pytest.raises(Unreachable, match="forbidden"):
        cluster.ensure_namespace(Application("shop", "other", "shop-other", "b" * 40, ephemeral=False))
    api.close()


@pytest.mark.parametrize("process", ["api", "worker", "observer"])
def test_every_account_keeps_secrets_in_its_own_namespace_and_in_no_other(
    plane: ControlPlane, chart: Installation, tmp_path: Path, process: str
) -> None:
    apply(plane, chart.objects(OPTIONS["secrets in Kubernetes"]))
    api = as_account(plane, process, tmp_path)
    secrets = KubernetesSecrets(api, RELEASE["namespace"])
    for value in (b"first", b"second"):
        secrets.put("projects.shop.webhook", value)
        assert secrets.get("projects.shop.webhook") == value
    secrets.delete("projects.shop.webhook")
    assert secrets.get("projects.shop.webhook") is None
    with pytest.raises(Unreachable, match="forbidden"):
        KubernetesSecrets(api, "default").get("projects.shop.webhook")
    api.close()


def test_the_builders_account_reads_secrets_and_keeps_none(
    plane: ControlPlane, chart: Installation, tmp_path: Path
) -> None:
    apply(plane, chart.objects(BUILDER))
    worker, builder = as_account(plane, "worker", tmp_path), as_account(plane, "builder", tmp_path)
    KubernetesSecrets(worker, RELEASE["namespace"]).put("projects.shop.clone", b"user:password")
    secrets = KubernetesSecrets(builder, RELEASE["namespace"])
    assert secrets.get("projects.shop.clone") == b"user:password"
    with pytest.raises(Unreachable, match="forbidden"):
        secrets.put("projects.shop.clone", b"another")
    with pytest.raises(Unreachable, match="forbidden"):
        KubernetesCluster(builder, guards(Settings())).is_foreign("default")
    worker.close()
    builder.close()
