"""A real Kubernetes control plane for tests, on loopback: etcd, kube-apiserver and kube-controller-manager, built by
`make real-tools` from tests/real/kubernetes/go.mod, or found by LUCITY_REAL_TOOLS.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kubernetes_api import KubernetesApi
from adapters.ports import Unreachable
from tests.support.real_tools import real_tool
from tests.support.valkey import _die_with_parent, _free_port

READY_SECONDS = 90
_TOKEN = "made-up-for-tests"
_CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "resourcequota-controller",
    "garbage-collector-controller",
)


@dataclass
class ControlPlane:
    """A running control plane; `kubeconfig` is a file with an administrator's credentials."""

    folder: Path
    starter: ThreadPoolExecutor
    controllers: tuple[str, ...] = _CONTROLLERS
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        """How to reach it."""
        return self.folder / "kubeconfig"

    def api(self) -> KubernetesApi:
        """An administrator's hands."""
        return KubernetesApi.by(str(self.kubeconfig))

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Run kubectl; what it printed. It must succeed."""
        command = [str(real_tool("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start everything, in the order of need."""
        etcd, peers, port = _free_port(), _free_port(), _free_port()
        _write_keys(self.folder)
        self.spawn("etcd", _etcd(self.folder, etcd, peers))
        self.spawn("kube-apiserver", _apiserver(self.folder, etcd, port))
        self.wait("the API server's certificate", (self.folder / "pki" / "apiserver.crt").exists)
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(self.folder, port)))
        self.spawn("kube-controller-manager", _controllers(self.folder, self.controllers))
        self.wait("the controller manager", self._has_service_account)

    def spawn(self, name: str, arguments: Sequence[str]) -> None:
        """Start one of the tools; it ends with this control plane."""
        command = [str(real_tool(name)), *arguments]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(self.starter.submit(_started, command, self.folder, log).result())

    def wait(self, what: str, probe: Callable[[], object]) -> None:
        """Return once the probe holds; fail with all logs when it does not, or when something ended."""
        deadline = time.monotonic() + READY_SECONDS
        while not probe():
            running = all(process.poll() is None for process in self.processes)
            assert running, f"something ended while waiting for {what}:\n{self._logs()}"
            assert time.monotonic() < deadline, f"waited {READY_SECONDS} s for {what}:\n{self._logs()}"
            time.sleep(0.1)

    def close(self) -> None:
        """End everything, the last started first."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _has_service_account(self) -> bool:
        try:
            return self.api().get("/api/v1/namespaces/default/serviceaccounts/default") is not None
        except Unreachable:
            return False

    def _logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))


@contextmanager
def control_plane(*controllers: str) -> Iterator[ControlPlane]:
    """A running control plane with an empty folder, and these controllers beside its own; ends with the block."""
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"):
        real_tool(name)
    folder = Path(tempfile.mkdtemp(prefix="lucity-kubernetes-"))
    # The kernel ends a child with the *thread* that started it, so that thread must live as long as the servers.
    with ThreadPoolExecutor(1) as starter:
        plane = ControlPlane(folder, starter, (*_CONTROLLERS, *controllers))
        try:
            plane.start()
            yield plane
        finally:
            plane.close()
            shutil.rmtree(folder, ignore_errors=True)


def _started(command: Sequence[str], folder: Path, log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, preexec_fn=_die_with_parent)  # noqa: PLW1509


def _write_keys(folder: Path) -> None:
    pki = folder / "pki"
    pki.mkdir()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    (pki / "sa.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    (pki / "tokens.csv").write_text(f"{_TOKEN},admin,admin,system:masters\n")


def _etcd(folder: Path, port: int, peers: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(folder: Path, etcd: int, port: int) -> list[str]:
    pki = folder / "pki"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={pki}",
        f"--service-account-key-file={pki / 'sa.key'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--token-auth-file={pki / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
    ]


def _controllers(folder: Path, names: Sequence[str]) -> list[str]:
    return [
        f"--kubeconfig={folder / 'kubeconfig'}",
        f"--service-account-private-key-file={folder / 'pki' / 'sa.key'}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={_free_port()}",
        f"--controllers={','.join(names)}",
    ]


def _kubeconfig(folder: Path, port: int) -> dict[str, Any]:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(folder / "pki" / "apiserver.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
