"""What answers in place of a Kubernetes API server: pages of proxies are no news of the cluster."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.cluster import KubernetesCluster
from adapters.kubernetes_api import KubernetesApi
from adapters.kubernetes_secrets import KubernetesSecrets
from adapters.ports import Unreachable
from adapters.records import Application
from tests.support.kubernetes_state import FakeKubernetes
from tests.support.serving import always

SHOP = Application("shop", "development", "shop-development", "a" * 40, ephemeral=False)
USES: list[Callable[[KubernetesApi], object]] = [
    lambda api: KubernetesCluster(api, ()).namespaces("shop"),
    lambda api: KubernetesCluster(api, ()).is_foreign("shop-development"),
    lambda api: KubernetesCluster(api, ()).ensure_namespace(SHOP),
    lambda api: KubernetesCluster(api, ()).delete_namespace(SHOP),
    lambda api: KubernetesSecrets(api, "lucity").get("webhook"),
    lambda api: KubernetesSecrets(api, "lucity").put("webhook", b"1"),
    lambda api: KubernetesSecrets(api, "lucity").delete("webhook"),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("status", [200, 404, 409, 503])
@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"", b"[]", b'"x"', json.dumps({"message": "no"}).encode()])
def test_a_page_of_a_proxy_is_an_outage(
    tmp_path: Path, use: Callable[[KubernetesApi], object], status: int, body: bytes
) -> None:
    with always(status, body) as url:
        api = KubernetesApi.by(FakeKubernetes(url=url).kubeconfig(tmp_path))
        with pytest.raises(Unreachable) as outage:
            use(api)
        api.close()
    assert outage.value.component == "cluster"
