"""A real Soft-serve on free loopback ports, where its binary is found: LUCITY_TEST_SOFT names it, else PATH."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from adapters.secrets import FileSecrets
from adapters.softserve import SoftServeGitHost
from adapters.softserve_accounts import Accounts
from adapters.softserve_ssh import Ssh, parse_token
from adapters.trust import SYSTEM, Trust

READY_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


def binary() -> str:
    """The program; skips the test where there is none."""
    found = os.environ.get("LUCITY_TEST_SOFT") or shutil.which("soft")
    if found is None or shutil.which("ssh") is None:
        pytest.skip("no Soft-serve here: set LUCITY_TEST_SOFT to its binary, and install an OpenSSH client")
    return found


def _free_ports() -> tuple[int, int, int, int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found[0], found[1], found[2], found[3]


@dataclass
class SoftServe:
    """One server; its ports and its data stay the same across `kill` and `start`."""

    folder: Path
    ports: tuple[int, int, int, int] = field(default_factory=_free_ports)
    variables: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "http"
    _process: "subprocess.Popen[bytes] | None" = None
    # The kernel ends a child with the *thread* that started it, so that thread must live as long as the server.
    _starter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    @property
    def ssh_url(self) -> str:
        return f"ssh://127.0.0.1:{self.ports[0]}"

    @property
    def http_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.ports[1]}"

    @property
    def admin_key(self) -> Path:
        """Private key of the first administrator."""
        return self.folder / "admin"

    @property
    def data(self) -> Path:
        """What it keeps."""
        return self.folder / "data"

    def path(self, repository: str) -> Path:
        """The bare repository on its disk."""
        return self.data / "repos" / f"{repository}.git"

    @cached_property
    def token(self) -> str:
        """An access token of the first administrator."""
        return parse_token(self.administer("token", "create", "tests"))

    def address(self, repository: str) -> str:
        """Where an administrator clones and pushes."""
        return f"{self.http_url.replace('://', f'://admin:{self.token}@')}/{repository}.git"

    def empty(self) -> None:
        """Remove all repositories, so that the next test begins anew."""
        for name in self.administer("repo", "list", "--all").splitlines():
            self.administer("repo", "delete", name)

    def start(self) -> None:
        """Start on the data as they are, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.admin_key.exists():
            self.make_admin_key()
        self._process = self._starter.submit(self._spawn).result()
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, f"Soft-serve did not start:\n{self.said()}"
            time.sleep(0.05)

    def make_admin_key(self) -> None:
        """Make a key pair for the first administrator."""
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", str(self.admin_key)]
        subprocess.run(command, check=True)

    def kill(self) -> None:
        """SIGKILL, as a crash; with it what it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._starter.shutdown()

    def said(self) -> str:
        """Its log."""
        return (self.folder / "log").read_text(errors="replace")

    def host(self, data: Path, secrets: Path | None = None, trust: Trust = SYSTEM) -> SoftServeGitHost:
        """Lucity's adapter with a data folder of its own; its secrets are shared between tests unless told where."""
        ssh = Ssh.to(self.ssh_url, data / "softserve" / "known_hosts")
        kept = FileSecrets(secrets or self.folder / "lucity-secrets")
        accounts = Accounts(ssh, self.http_url, self.admin_key, data / "softserve", kept, trust)
        return SoftServeGitHost(accounts, self.http_url, data / "archive")

    def settings(self) -> dict[str, str]:
        """Variables with which Lucity uses it."""
        return {
            "LUCITY_GIT_HOST": "softserve",
            "LUCITY_SOFTSERVE_SSH_URL": self.ssh_url,
            "LUCITY_SOFTSERVE_HTTP_URL": self.http_url,
            "LUCITY_SOFTSERVE_ADMIN_KEY_FILE": str(self.admin_key),
        }

    def administer(self, *arguments: str) -> str:
        """What an administrator's command prints."""
        known = self.folder / "known_hosts"
        return Ssh.to(self.ssh_url, known).run(self.admin_key, *arguments, first_use=not known.exists())

    def install_hook(self, repository: str, name: str, script: str) -> None:
        """Give a repository a hook, as Soft-serve looks for them; `script` is the body of a shell script."""
        path = self.path(repository) / "hooks" / f"{name}.d" / "test"
        written = path.with_suffix(".new")
        written.write_text(f"#!/bin/sh\n{script}\n")
        written.chmod(0o755)
        written.replace(path)

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError, OSError), socket.create_connection(("127.0.0.1", self.ports[0])):
            return httpx.get(f"{self.http_url}/livez").status_code > 0
        return False

    def _spawn(self) -> "subprocess.Popen[bytes]":
        ssh, http, git, stats = (f"127.0.0.1:{port}" for port in self.ports)
        variables = {
            "SOFT_SERVE_DATA_PATH": str(self.data),
            "SOFT_SERVE_INITIAL_ADMIN_KEYS": self.admin_key.with_suffix(".pub").read_text(),
            "SOFT_SERVE_SSH_LISTEN_ADDR": ssh,
            "SOFT_SERVE_SSH_PUBLIC_URL": self.ssh_url,
            "SOFT_SERVE_HTTP_LISTEN_ADDR": http,
            "SOFT_SERVE_HTTP_PUBLIC_URL": self.http_url,
            "SOFT_SERVE_GIT_LISTEN_ADDR": git,
            "SOFT_SERVE_STATS_LISTEN_ADDR": stats,
        }
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [binary(), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **variables, **self.variables},
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509
            )


@contextmanager
def running(folder: Path) -> Iterator[SoftServe]:
    """A server that ends with the block; skips the test where there is no binary."""
    binary()
    server = SoftServe(folder)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
