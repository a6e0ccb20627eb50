"""A real registry for tests: Debian's `docker-registry` on a free loopback port, with a configuration of its own."""

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import wait_until

BINARY = "docker-registry"
USERNAME = "robot"
PASSWORD = "made-up-for-tests"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_HTPASSWD = f"{USERNAME}:$2y$04$ZCxVx6xlZYQWHorYMW0xQOoWQkTORv9yy0MA/AfPlgZGpTrrqVT5G\n"
_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class RegistryServer:
    """A running registry; `login` is (user, password) where it asks for one."""

    address: str
    """`host:port`, as image references begin."""
    login: tuple[str, str] | None = None

    def push(self, path: str, tag: str, content: bytes) -> str:
        """Put an image of one small layer there, by hand; its digest."""
        with httpx.Client(base_url=f"http://{self.address}/v2/{path}/", auth=self.login, timeout=30) as client:
            blobs = [_upload(client, blob) for blob in (b"{}", content)]
            manifest = _manifest(*blobs)
            answer = client.put(f"manifests/{tag}", content=manifest, headers={"Content-Type": OCI_MANIFEST})
            assert answer.status_code == httpx.codes.CREATED, answer.text
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


@contextmanager
def start_registry(folder: Path, *, login: bool = False, tls: Path | None = None) -> Iterator[RegistryServer]:
    """A registry that keeps its images in a folder, until the block ends; with `login` it asks for USERNAME and
    PASSWORD, with a file of key and certificate it speaks TLS. Skips the test where there is none, and fails it in CI,
    which installs one.
    """
    binary = _binary()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "registry.json").write_text(json.dumps(_configuration(folder, login=login, tls=tls)))
    # The kernel ends a child with the *thread* that started it, so that thread must live as long as the server.
    with ThreadPoolExecutor(1) as starter:
        process = starter.submit(_spawn, binary, folder).result()
        try:
            yield RegistryServer(_address(process, folder / "registry.log"), (USERNAME, PASSWORD) if login else None)
        finally:
            process.kill()
            process.wait()


def _binary() -> str:
    found = shutil.which(BINARY)
    if found is None:
        message = f"there is no {BINARY} on PATH (Debian: apt-get install {BINARY})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def _spawn(binary: str, folder: Path) -> subprocess.Popen[bytes]:
    # Its settings can be overridden by REGISTRY_*: none of this process' own are passed on.
    command = [binary, "serve", str(folder / "registry.json")]
    with (folder / "registry.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env={}, preexec_fn=_die_with_parent)  # noqa: PLW1509


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    def said() -> re.Match[str] | None:
        assert process.poll() is None, f"{BINARY} ended at once:\n{log.read_text(errors='replace')}"
        return _LISTENING.search(log.read_text(errors="replace"))

    wait_until(said, f"{BINARY} to listen")
    found = said()
    assert found is not None
    return f"127.0.0.1:{found[1]}"


def _configuration(folder: Path, *, login: bool, tls: Path | None) -> dict[str, object]:
    """JSON is YAML, which is what it reads."""
    served = {} if tls is None else {"tls": {"certificate": str(tls), "key": str(tls)}}
    configuration: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": PASSWORD, **served},
    }
    if login:
        (folder / "htpasswd").write_text(_HTPASSWD)
        configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    return configuration


def _upload(client: httpx.Client, content: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    begun = client.post("blobs/uploads/")
    assert begun.status_code == httpx.codes.ACCEPTED, begun.text
    place = httpx.URL(begun.headers["location"]).copy_add_param("digest", digest)
    answer = client.put(place, content=content, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return {"digest": digest, "size": len(content)}


def _manifest(config: dict[str, object], layer: dict[str, object]) -> bytes:
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
    }
    return json.dumps(body).encode()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
