"""Secrets as ports.Secrets has them: the twin, files, and a real Kubernetes API server."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import yaml

from adapters.kubernetes_api import KubernetesApi
from adapters.kubernetes_secrets import KubernetesSecrets, object_name
from adapters.ports import Secrets, Unreachable
from adapters.secrets import FileSecrets
from tests.fakes import FakeSecrets
from tests.support.kubernetes import ControlPlane
from tests.support.relay import relay


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """One of its own for each test."""
    name = f"lucity-{uuid4().hex[:8]}"
    plane.kubectl("create", "namespace", name)
    return name


@pytest.fixture(params=["twin", "files", "kubernetes"])
def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> Secrets:
    match request.param:
        case "twin":
            return FakeSecrets()
        case "files":
            return FileSecrets(tmp_path / "secrets")
        case _:
            return KubernetesSecrets(request.getfixturevalue("plane").api(), request.getfixturevalue("namespace"))


class TestSecrets:
    """What all Secrets promise."""

    def test_a_secret_is_kept_replaced_and_forgotten(self, secrets: Secrets) -> None:
        assert secrets.get("webhook") is None
        secrets.put("webhook", b"\x00first\n")
        assert secrets.get("webhook") == b"\x00first\n"
        secrets.put("webhook", b"")
        assert secrets.get("webhook") == b""
        secrets.delete("webhook")
        secrets.delete("webhook")
        assert secrets.get("webhook") is None

    def test_names_that_differ_little_are_different_secrets(self, secrets: Secrets) -> None:
        names = [
            "projects.shop.webhook",
            "projects-shop-webhook",
            "projects_shop.webhook",
            "a..b",
            "a.-b",
            "9",
            "s" * 200,
        ]
        for name in names:
            secrets.put(name, name.encode())
        assert [secrets.get(name) for name in names] == [name.encode() for name in names]
        secrets.delete(names[0])
        assert [secrets.get(name) for name in names] == [None, *(name.encode() for name in names[1:])]

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "A", "a\n", "a\0", "a" * 201]
    )
    def test_names_that_could_be_paths_are_refused(self, secrets: Secrets, name: str) -> None:
        with pytest.raises(ValueError, match="no name of a secret"):
            secrets.get(name)
        with pytest.raises(ValueError, match="no name of a secret"):
            secrets.put(name, b"x")
        with pytest.raises(ValueError, match="no name of a secret"):
            secrets.delete(name)


def test_nobody_else_can_read_secrets_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o755)
    FileSecrets(tmp_path / "secrets").put("webhook", b"x")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / "webhook").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["webhook"]


class TestKubernetesSecrets:
    """What there is besides, where others have Secrets in the same namespace."""

    def test_an_object_says_whose_it_is_and_which_secret_it_holds(self, plane: ControlPlane, namespace: str) -> None:
        KubernetesSecrets(plane.api(), namespace).put("projects.shop.webhook", b"\xffsecret")
        (found,) = objects(plane, namespace)
        assert found["metadata"]["name"].startswith("lucity-projects-shop-webhook-")
        assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "lucity"}
        assert found["metadata"]["annotations"] == {"lucity.dev/secret": "projects.shop.webhook"}
        assert {key: base64.b64decode(text) for key, text in found["data"].items()} == {"value": b"\xffsecret"}

    @pytest.mark.parametrize("label", ["app.kubernetes.io/managed-by=Helm", "app.kubernetes.io/managed-by=lucity"])
    def test_a_strangers_secret_is_neither_read_nor_changed(
        self, plane: ControlPlane, namespace: str, label: str
    ) -> None:
        name = object_name("webhook")
        plane.kubectl("create", "secret", "generic", name, "--from-literal=value=theirs", "-n", namespace)
        plane.kubectl("label", "secret", name, label, "-n", namespace)
        before = objects(plane, namespace)
        secrets = KubernetesSecrets(plane.api(), namespace)
        assert secrets.get("webhook") is None
        with pytest.raises(Unreachable, match=f"{name} in {namespace} exists and Lucity did not make it"):
            secrets.put("webhook", b"ours")
        secrets.delete("webhook")
        assert objects(plane, namespace) == before

    def test_writers_at_the_same_time_do_not_fail_and_one_of_them_counts(
        self, plane: ControlPlane, namespace: str
    ) -> None:
        writers = [KubernetesSecrets(plane.api(), namespace) for _ in range(4)]
        last = [f"{number} at last".encode() for number in range(len(writers))]

        def write(number: int) -> None:
            for _ in range(5):
                writers[number].put("shared", b"")
                writers[number].delete("shared")
            writers[number].put("shared", last[number])

        with ThreadPoolExecutor(len(writers)) as pool:
            list(pool.map(write, range(len(writers))))
        (left,) = {writer.get("shared") for writer in writers}
        assert left in [None, *last]

    def test_what_one_process_wrote_all_read(self, plane: ControlPlane, namespace: str) -> None:
        one, another = (KubernetesSecrets(plane.api(), namespace) for _ in range(2))
        one.put("token", b"first")
        assert another.get("token") == b"first"
        another.put("token", b"second")
        assert one.get("token") == b"second"
        another.delete("token")
        assert one.get("token") is None

    def test_while_the_cluster_does_not_answer_what_was_read_counts_on(
        self, plane: ControlPlane, namespace: str, tmp_path: Path
    ) -> None:
        configuration = yaml.safe_load(plane.kubeconfig.read_text())
        cluster = configuration["clusters"][0]["cluster"]
        with relay(urlsplit(cluster["server"]).port or 0) as way:
            cluster["server"] = f"https://127.0.0.1:{way.port}"
            (tmp_path / "kubeconfig").write_text(yaml.safe_dump(configuration))
            secrets = KubernetesSecrets(KubernetesApi.by(str(tmp_path / "kubeconfig")), namespace)
            secrets.put("token", b"kept")
            way.end()
            assert secrets.get("token") == b"kept"
            with pytest.raises(Unreachable, match="does not answer"):
                secrets.get("another")
            with pytest.raises(Unreachable, match="does not answer"):
                secrets.put("token", b"new")
            assert secrets.get("token") == b"kept"


def objects(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    """The Secrets there."""
    found = plane.api().get(f"/api/v1/namespaces/{namespace}/secrets") or {}
    return list(found["items"])
