"""Trees of a fake Argo CD's Applications, and streams of them as the real one sends them: not even headers before a
tree changes, nothing of the tree as it is, then every new one, and signs of life.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from typing import Any

from tests.support.recordings import loaded, raw

ALIVE_SECONDS = 0.1
PATIENCE_SECONDS = 30.0
Body = dict[str, Any]


def _set() -> threading.Event:
    made = threading.Event()
    made.set()
    return made


@dataclass
class FakeTrees:
    """What it holds is there to be read and changed, by the names of Applications."""

    by_name: dict[str, Body] = field(default_factory=dict)
    listeners: dict[str, list[SimpleQueue[bytes | None]]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    """Every stream that was ever asked for."""
    read: list[str] = field(default_factory=list)
    """Every tree that was ever asked for."""
    alive: int = 0
    """Signs of life that were sent."""
    mute: bool = False
    """Whether streams send nothing at all, as over a connection that is half open."""
    manifests: dict[str, Body] = field(default_factory=dict)
    """Live pods by name, as the real one reads them from the cluster."""
    answers: threading.Event = field(default_factory=_set)
    """Until it is set, no tree that is asked for is answered; nothing else waits for that."""

    def live(self, name: str) -> Body | None:
        """A pod as its text; None when there is none."""
        pod = self.manifests.get(name)
        return None if pod is None else {"manifest": json.dumps(pod)}

    def of(self, name: str) -> Body:
        """The present tree."""
        self.read.append(name)
        return self.by_name.get(name, {})

    def put(self, name: str, tree: Body) -> None:
        """Keep a tree and tell the streams."""
        self.by_name[name] = tree
        self.tell(name, f"data: {json.dumps({'result': tree})} \n\n".encode())

    def change(self, name: str, tree: Body) -> None:
        """Keep a tree that the streams never hear of."""
        self.by_name[name] = tree

    def tell(self, name: str, frame: bytes | None) -> None:
        """Send bytes on every stream of an Application; None ends them."""
        for told in list(self.listeners.get(name, ())):
            told.put(frame)

    def end(self) -> None:
        """End every stream."""
        for name in list(self.listeners):
            self.tell(name, None)

    @contextmanager
    def listening(self, name: str) -> Iterator[SimpleQueue[bytes | None]]:
        """What one stream is told while the block runs."""
        told: SimpleQueue[bytes | None] = SimpleQueue()
        self.opened.append(name)
        self.listeners.setdefault(name, []).append(told)
        try:
            yield told
        finally:
            self.listeners[name].remove(told)

    def streams(self, name: str) -> int:
        """How many streams of an Application are open."""
        return len(self.listeners.get(name, ()))

    def serve(self, name: str, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request for a stream, until it ends or its client has gone."""
        with self.listening(name) as told:
            begun = False
            while not is_gone(handler):
                try:
                    frame = told.get(timeout=ALIVE_SECONDS)
                except Empty:
                    frame = b":\n" if begun else b""
                    self.alive += begun
                if frame is None:
                    return
                if frame and not self.mute and not _sent(handler, frame, begun=begun):
                    return
                begun = begun or bool(frame)


def is_gone(handler: BaseHTTPRequestHandler) -> bool:
    """Whether the client has closed its connection: a request without a body is followed by nothing else."""
    handler.connection.setblocking(False)  # noqa: FBT003 - the name is the socket's
    try:
        return not handler.connection.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        handler.connection.setblocking(True)  # noqa: FBT003 - the name is the socket's


def _sent(handler: BaseHTTPRequestHandler, frame: bytes, *, begun: bool) -> bool:
    try:
        if not begun:
            handler.send_response(200)
            handler.send_header("content-type", "text/event-stream")
            handler.send_header("connection", "close")
            handler.end_headers()
            handler.close_connection = True
        handler.wfile.write(frame)
        handler.wfile.flush()
    except OSError:
        return False
    return True


def recorded_tree() -> Body:
    """The tree of a Deployment with its ReplicaSets and pods, as the real one answered."""
    tree: Body = deepcopy(loaded("resource-tree.json"))
    return tree


def recorded_trees() -> list[Body]:
    """The trees of a rollout, as the real one streamed them."""
    lines = raw("resource-tree.sse").decode().splitlines()
    return [json.loads(line.removeprefix("data: "))["result"] for line in lines if line.startswith("data: ")]


def altered(tree: Body, kind: str, alter: Callable[[Body], object]) -> Body:
    """The tree with every node of a kind altered."""
    new = deepcopy(tree)
    for node in new["nodes"]:
        if node["kind"] == kind:
            alter(node)
    return new
