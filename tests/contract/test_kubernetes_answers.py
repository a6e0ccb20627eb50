"""What answers in place of a Kubernetes API server: pages of proxies are no news of the cluster."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.cluster import KubernetesCluster
from adapters.kubernetes_api import KubernetesApi
from adapters.kubernetes_secrets import KubernetesSecrets
from adapters.ports import Unreachable
from adapters.records import Application
from tests.support.kubernetes_state import FakeKubernetes
from tests.support.serving import answering

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


@contextmanager
def answered(folder: Path, status: int, body: bytes) -> Iterator[KubernetesApi]:
    """An API server that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    config = FakeKubernetes(url=f"http://127.0.0.1:{server.server_address[1]}").kubeconfig(folder)
    with answering(server):
        api = KubernetesApi.by(config)
        yield api
        api.close()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("status", [200, 404, 409, 503])
@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"", b"[]", b'"x"', json.dumps({"message": "no"}).encode()])
def test_a_page_of_a_proxy_is_an_outage(
    tmp_path: Path, use: Callable[[KubernetesApi], object], status: int, body: bytes
) -> None:
    with answered(tmp_path, status, body) as api, pytest.raises(Unreachable) as outage:
        use(api)
    assert outage.value.component == "cluster"
