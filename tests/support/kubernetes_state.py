"""What a fake Kubernetes API (fake_kubernetes.py) holds: pods that come, change and go, logs that grow, and what is
refused or broken off next. Logs are kept as the container runtime does: a file for each start of a container.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from adapters import labels

TOKEN = "made-up-for-tests"
BEGIN = datetime(2026, 1, 23, 12, tzinfo=UTC)
LABELS = {labels.PROJECT: "shop", labels.ENVIRONMENT: "development"}


@dataclass
class FakeContainer:
    """A container; its logs, one for each start. `started`: whether there is one yet."""

    kind: str = "container"
    logs: list[bytearray] = field(default_factory=lambda: [bytearray()])
    started: bool = True
    ended: bool = False


@dataclass
class FakePod:
    """A pod by name."""

    name: str
    uid: str
    version: int
    labels: dict[str, str]
    containers: dict[str, FakeContainer]
    phase: str = "Running"


@dataclass
class FakeKubernetes:
    """The state; every change is under `lock` and told to those who watch."""

    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    pods: dict[str, FakePod] = field(default_factory=dict)
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    version: int = 100
    compacted: int = 0
    token: str = TOKEN
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refusals: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """What the next requests whose path ends so are refused with."""
    cuts: list[int] = field(default_factory=list)
    """The next logs break off after so many bytes of them were sent."""
    open_logs: int = 0
    epoch: int = 0
    """Streams of an earlier one break off."""
    lines: int = 0

    def kubeconfig(self, folder: Path, token: str | None = None) -> str:
        """A file with credentials."""
        path = folder / "fake-kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "reader", "user": {"token": token or self.token}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "reader"}}],
            "current-context": "fake",
        }
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def add(self, name: str, containers: dict[str, FakeContainer] | None = None, service: str = "api") -> FakePod:
        """A pod of a service appears."""
        with self.lock:
            made = containers or {"api": FakeContainer()}
            pod = self.pods[name] = FakePod(name, f"uid-{self.version}", 0, {**LABELS, labels.SERVICE: service}, made)
            self._tell("ADDED", pod)
        return pod

    def change(self, name: str, act: Callable[[FakePod], object]) -> None:
        """A pod changes."""
        with self.lock:
            act(self.pods[name])
            self._tell("MODIFIED", self.pods[name])

    def remove(self, name: str) -> None:
        """A pod and its logs go."""
        with self.lock:
            self._tell("DELETED", self.pods.pop(name))

    def restart(self, name: str, container: str = "api") -> None:
        """A container ends and starts again, with a new log."""
        self.change(name, lambda pod: pod.containers[container].logs.append(bytearray()))

    def write(self, name: str, *texts: str | bytes, container: str = "api", end: bytes = b"\n") -> None:
        """A container writes lines, each a millisecond after the one before."""
        with self.lock:
            for text in texts:
                self.lines += 1
                raw = text.encode() if isinstance(text, str) else text
                at = (BEGIN + timedelta(milliseconds=self.lines)).isoformat(timespec="microseconds")
                stamp = at.replace("+00:00", "123Z").encode()
                self.pods[name].containers[container].logs[-1] += stamp + b" " + raw + end

    def forget_versions(self) -> None:
        """What was watched from is too old now, and every stream breaks off."""
        with self.lock:
            self.compacted = self.version + 1
            self.version += 10
            self.epoch += 1

    def refuse(self, path: str, *answers: tuple[int, str]) -> None:
        """Refuse what comes next."""
        with self.lock:
            self.refusals.setdefault(path, []).extend(answers)

    def queries(self, ending: str) -> list[dict[str, str]]:
        """What was asked of paths that end so."""
        with self.lock:
            return [query for path, query in self.asked if path.endswith(ending)]

    def _tell(self, kind: str, pod: FakePod) -> None:
        self.version += 1
        pod.version = self.version
        self.events.append((self.version, kind, rendered(pod)))


def rendered(pod: FakePod) -> dict[str, Any]:
    """The pod as the API shows it."""
    kinds = {container.kind for container in pod.containers.values()} | {"container"}
    named = {kind: [(name, one) for name, one in pod.containers.items() if one.kind == kind] for kind in kinds}
    metadata = {"name": pod.name, "uid": pod.uid, "resourceVersion": str(pod.version), "labels": dict(pod.labels)}
    spec = {f"{kind}s": [{"name": name} for name, _ in found] for kind, found in named.items()}
    statuses = {f"{kind}Statuses": [_status(name, one) for name, one in found] for kind, found in named.items()}
    return {"metadata": metadata, "spec": spec, "status": {"phase": pod.phase, **statuses}}


def _status(name: str, container: FakeContainer) -> dict[str, Any]:
    state = "waiting" if not container.started else "terminated" if container.ended else "running"
    return {"name": name, "restartCount": len(container.logs) - 1, "state": {state: {}}}
