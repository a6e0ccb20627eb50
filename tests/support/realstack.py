"""A real stack beside the project, found by environment variables; a test that needs what none names is skipped.

LUCITY_TEST_ARGOCD_URL, and _TOKEN or _USERNAME and _PASSWORD; LUCITY_TEST_SOFTSERVE_SSH_URL, _HTTP_URL and
_ADMIN_KEY_FILE; LUCITY_TEST_KUBECONFIG, of the cluster that this Argo CD deploys to. Images whose reference contains
`/broken` must never start there. LUCITY_TEST_STACK is the folder of the processes: its file `pids` holds one
`<id> <name>` a line, as the script that starts them writes them.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.softserve import SoftServe

_STACK = "LUCITY_TEST_STACK"
_SOFTSERVE = ("SSH_URL", "HTTP_URL", "ADMIN_KEY_FILE")


def _given(name: str, what: str) -> str:
    value = os.environ.get(f"LUCITY_TEST_{name}")
    if not value:
        pytest.skip(f"LUCITY_TEST_{name} names no {what}")
    return value


def argocd_settings() -> dict[str, str]:
    """What `lucity up` needs to deliver by the Argo CD that is named."""
    url = _given("ARGOCD_URL", "Argo CD")
    logins = {name: os.environ.get(f"LUCITY_TEST_ARGOCD_{name}") for name in ("TOKEN", "USERNAME", "PASSWORD")}
    given = {f"LUCITY_ARGOCD_{name}": value for name, value in logins.items() if value}
    return {"LUCITY_DELIVERY": "argocd", "LUCITY_ARGOCD_URL": url, **given}


def all_settings() -> dict[str, str]:
    """What `lucity up` needs to use all of them together."""
    softserve = {f"LUCITY_SOFTSERVE_{name}": _given(f"SOFTSERVE_{name}", "Soft-serve") for name in _SOFTSERVE}
    kubeconfig = _given("KUBECONFIG", "cluster")
    return {**argocd_settings(), "LUCITY_GIT_HOST": "softserve", **softserve, "LUCITY_KUBECONFIG": kubeconfig}


@dataclass(frozen=True)
class Kubectl:
    """The cluster as its administrator sees it."""

    kubeconfig: str

    @classmethod
    def found(cls) -> "Kubectl":
        """For the cluster that is named."""
        if shutil.which("kubectl") is None:
            pytest.skip("there is no kubectl on PATH")
        return cls(_given("KUBECONFIG", "cluster"))

    def run(self, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
        """An object; None when there is none."""
        said = self.run("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output=json")
        found: dict[str, Any] | None = json.loads(said) if said else None
        return found

    def runs(self, namespace: str, service: str) -> list[tuple[str, int]]:
        """Image and number of the pods of a service that are ready, by image, as its ReplicaSets say."""
        selector = f"app.kubernetes.io/name={service}"
        said = self.run("get", "replicasets", "--namespace", namespace, "--selector", selector, "--output=json")
        return sorted(
            (one["spec"]["template"]["spec"]["containers"][0]["image"], one["status"]["readyReplicas"])
            for one in json.loads(said)["items"]
            if one["status"].get("readyReplicas")
        )


@dataclass
class Stack:
    """A stack that runs."""

    folder: Path

    @classmethod
    def found(cls) -> "Stack":
        """The one that is named, or the test is skipped."""
        return cls(Path(_given("STACK", "folder of a real stack")))

    def pid(self, name: str) -> int:
        """The process id of a part."""
        lines = (line.split() for line in (self.folder / "pids").read_text().splitlines())
        return next(int(number) for number, part in lines if part == name)

    def softserve(self) -> SoftServe:
        """Its Soft-serve, to administer and to look into; the stack starts and ends it."""
        ssh, http = (urlsplit(_given(f"SOFTSERVE_{name}", "Soft-serve")).port for name in ("SSH_URL", "HTTP_URL"))
        assert ssh is not None
        assert http is not None
        return SoftServe(Path(_given("SOFTSERVE_ADMIN_KEY_FILE", "Soft-serve")).parent, (ssh, http, 0, 0))

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Parts that do not answer, with their connections open, while the block runs."""
        pids = [self.pid(name) for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    @contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """A part that is not there while the block runs, and starts as before at its end."""
        pid, launch = self.pid(name), _launch(self.folder, name)
        os.kill(pid, signal.SIGKILL)
        try:
            yield
        finally:
            with (self.folder / "logs" / f"{name}.log").open("ab") as log:
                again = subprocess.Popen(
                    launch.argv,
                    executable=launch.program,
                    env=launch.variables,
                    cwd=launch.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            again.returncode = 0  # it outlives the test, on purpose
            pids = (self.folder / "pids").read_text()
            (self.folder / "pids").write_text(pids.replace(f"{pid} {name}\n", f"{again.pid} {name}\n"))


@dataclass(frozen=True)
class _Launch:
    """How a process was started."""

    argv: list[bytes]
    program: Path
    variables: dict[bytes, bytes]
    folder: Path


@cache
def _launch(stack: Path, name: str) -> _Launch:
    """Read once: a process that was killed before its turn to be read has nothing left to read."""
    place = Path(f"/proc/{Stack(stack).pid(name)}")
    lines = place.joinpath("environ").read_bytes().split(b"\0")
    return _Launch(
        place.joinpath("cmdline").read_bytes().split(b"\0")[:-1],
        place.joinpath("exe").resolve(),
        dict(line.split(b"=", 1) for line in lines if b"=" in line),
        place.joinpath("cwd").resolve(),
    )
