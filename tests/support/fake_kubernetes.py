"""A Kubernetes API to talk to, as far as logs of pods need it, with every way in which the real one fails."""

import json
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.kubernetes_state import FakeContainer, FakeKubernetes, FakePod, rendered
from tests.support.serving import answering

_TICK_SECONDS = 0.01


@contextmanager
def fake_kubernetes(tls: SSLContext | None = None) -> Iterator[FakeKubernetes]:
    """A fake that listens on loopback while the block runs, with TLS if that is given."""
    fake = FakeKubernetes()

    class Handler(_Handler):
        kubernetes = fake

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    with answering(server):
        try:
            yield fake
        finally:
            fake.epoch += 1


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
            if fake.token and self.headers.get("authorization") != f"Bearer {fake.token}":
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
        """Whether the client is gone, looked at for a moment: it has nothing more to say on this connection."""
        readable, _, _ = select.select([self.connection], [], [], _TICK_SECONDS)
        return bool(readable)

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
