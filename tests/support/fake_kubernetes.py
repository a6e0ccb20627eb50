"""A Kubernetes API to talk to, as far as logs of pods need it: pods that come, change and go, logs that grow, and every
way in which the real one fails. Logs are kept as the container runtime does: a file for each start of a container.
"""

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from adapters import labels

TOKEN = "made-up-for-tests"
BEGIN = datetime(2026, 1, 23, 12, tzinfo=UTC)
LABELS = {labels.PROJECT: "shop", labels.ENVIRONMENT: "development"}
_TICK_SECONDS = 0.01


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


@contextmanager
def fake_kubernetes() -> Iterator[FakeKubernetes]:
    """A fake that listens on loopback while the block runs."""
    fake = FakeKubernetes()

    class Handler(_Handler):
        kubernetes = fake

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.epoch += 1
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    kubernetes: FakeKubernetes
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        with suppress(ConnectionError):
            self._serve()

    def _serve(self) -> None:
        fake = self.kubernetes
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        with fake.lock:
            fake.asked.append((parts.path, query))
            refusal = next(
                (found.pop(0) for end, found in fake.refusals.items() if parts.path.endswith(end) and found), None
            )
            if self.headers.get("authorization") != f"Bearer {fake.token}":
                refusal = (401, "Unauthorized")
        match parts.path.strip("/").split("/"):
            case _ if refusal is not None:
                self._refuse(*refusal)
            case ["api", "v1", "namespaces", "shop-development", "pods"] if query.get("watch"):
                self._watch(int(query["resourceVersion"]), query["labelSelector"])
            case ["api", "v1", "namespaces", "shop-development", "pods"]:
                self._list(query["labelSelector"])
            case ["api", "v1", "namespaces", "shop-development", "pods", name, "log"]:
                self._log(name, query)
            case _:
                self._refuse(404, "not found")

    def _refuse(self, code: int, message: str) -> None:
        self._send(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})

    def _send(self, code: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _list(self, selector: str) -> None:
        with self.kubernetes.lock:
            found = [rendered(pod) for pod in self.kubernetes.pods.values() if _selected(pod.labels, selector)]
            version = str(self.kubernetes.version)
        self._send(200, {"metadata": {"resourceVersion": version}, "items": found})

    def _watch(self, version: int, selector: str) -> None:
        fake, epoch = self.kubernetes, self.kubernetes.epoch
        self._begin()
        if version < fake.compacted:
            self._frame({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
            self._chunk(b"")
            return
        while epoch == fake.epoch:
            with fake.lock:
                fresh = [event for event in fake.events if event[0] > version]
            for number, kind, body in fresh:
                version = number
                if _selected(body["metadata"]["labels"], selector):
                    self._frame({"type": kind, "object": body})
            if self._has_left():
                break
        self.close_connection = True

    def _log(self, name: str, query: dict[str, str]) -> None:
        fake = self.kubernetes
        with fake.lock:
            pod = fake.pods.get(name)
            container = pod.containers.get(query["container"]) if pod else None
            starts = len(container.logs) if container else 0
            number = starts - 1 - bool(query.get("previous"))
            cut = fake.cuts.pop(0) if fake.cuts and container and container.started else None
        if pod is None:
            self._refuse(404, f'pods "{name}" not found')
        elif container is None or not container.started:
            self._refuse(
                400, f'container "{query["container"]}" in pod "{name}" is waiting to start: ContainerCreating'
            )
        elif number < 0:
            self._refuse(400, f'previous terminated container "{query["container"]}" in pod "{name}" not found')
        else:
            fake.open_logs += 1
            try:
                self._send_log(pod, container, number, query, cut)
            finally:
                fake.open_logs -= 1

    def _send_log(
        self, pod: FakePod, container: FakeContainer, number: int, query: dict[str, str], cut: int | None
    ) -> None:
        """The log as the kubelet gives it: from the second of sinceTime, at most tailLines of the past."""
        fake, epoch, sent = self.kubernetes, self.kubernetes.epoch, 0
        log = container.logs[number]
        self._begin()
        with fake.lock:
            offset = len(log) - len(_chosen(bytes(log), query))
        while epoch == fake.epoch:
            with fake.lock:
                fresh = bytes(log[offset:])
                over = container.ended or number < len(container.logs) - 1 or fake.pods.get(pod.name) is not pod
            if cut is not None and sent + len(fresh) >= cut:
                self._chunk(fresh[: cut - sent])
                self.close_connection = True
                return
            if fresh:
                self._chunk(fresh)
            offset, sent = offset + len(fresh), sent + len(fresh)
            if not fresh and (over or not query.get("follow")):
                self._chunk(b"")
                return
            if self._has_left():
                break
        self.close_connection = True

    def _has_left(self) -> bool:
        """Whether the client is gone; asked for a moment."""
        readable, _, _ = select.select([self.connection], [], [], _TICK_SECONDS)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _frame(self, body: dict[str, Any]) -> None:
        self._chunk(json.dumps(body).encode() + b"\n")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()


def _selected(labelled: dict[str, str], selector: str) -> bool:
    return all(labelled.get(name) == value for name, _, value in (one.partition("=") for one in selector.split(",")))


def _chosen(log: bytes, query: dict[str, str]) -> bytes:
    lines = log.splitlines(keepends=True)
    since = query.get("sinceTime", "").removesuffix("Z").encode()
    kept = [line for line in lines if line[: len(since)] >= since]
    return b"".join(kept[-int(query["tailLines"]) or len(kept) :] if "tailLines" in query else kept)
