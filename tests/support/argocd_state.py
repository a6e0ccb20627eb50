"""What a fake Argo CD holds, with the real one's objects; tests/support/fake_argocd.py serves it."""

import json
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from tests.support.argocd_trees import FakeTrees
from tests.support.recordings import loaded

TOKEN = "fixed-token"
PASSWORD = "admin-password"
LIFE_SECONDS = 0.3
Body = dict[str, Any]


@dataclass
class FakeArgoCd:
    """Everything it holds is there to be read and changed. What it was asked for stands in `asked`."""

    applications: dict[str, Body] = field(default_factory=dict)
    projects: dict[str, Body] = field(default_factory=dict)
    repositories: dict[str, Body] = field(default_factory=dict)
    trees: FakeTrees = field(default_factory=FakeTrees)
    on_look: Callable[[str], object] | None = None
    """What happens when an Application is compared with Git: after its creation, a refresh and a sync."""
    asked: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    logins: int = 0
    life_seconds: float = LIFE_SECONDS
    """How long a deletion and a sync take."""
    overlooked: bool = False
    """Whether deletions go on only when somebody asks for a refresh, as the real one's at times."""
    broken: tuple[int, str, bytes] | None = None
    """What a proxy in front of it answers instead of it: status, content type, body."""
    turned_away: int = 0
    """Requests that were answered so."""
    recording: list[bytes] = field(default_factory=list)
    """What the next streams send, each before it ends, instead of the truth."""
    mute: bool = False
    """Whether streams send nothing any more, not even signs of life."""
    pulse_seconds: float = 0.1
    """How long streams say nothing before they give a sign of life."""
    version: int = 1000
    listeners: list[SimpleQueue[bytes | None]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    refusals: dict[str, Body] = field(default_factory=lambda: loaded("errors.json"))
    url: str = ""

    def put(self, body: Body) -> Body:
        """Store an Application and tell the streams."""
        with self.lock:
            name = body["metadata"]["name"]
            known = name in self.applications
            self.version += 1
            body["metadata"]["resourceVersion"] = str(self.version)
            self.applications[name] = body
            self.tell("MODIFIED" if known else "ADDED", body)
            return body

    def lose(self, name: str) -> None:
        """An Application is gone."""
        with self.lock:
            if body := self.applications.pop(name, None):
                self.version += 1
                body["metadata"]["resourceVersion"] = str(self.version)
                self.tell("DELETED", body)

    def tell(self, kind: str, body: Body) -> None:
        """Send an event on every stream."""
        for listener in self.listeners:
            listener.put(event(kind, body))

    def cut(self) -> None:
        """Break every stream in the middle of an event."""
        with self.lock:
            for listener in self.listeners:
                listener.put(b'data: {"result": {"type": "MODIF')
                listener.put(None)

    def look(self, name: str) -> None:
        """An Application is compared with Git."""
        if self.on_look is not None:
            self.on_look(name)

    def later(self, work: Callable[[], object]) -> None:
        """What takes a while."""
        timer = threading.Timer(self.life_seconds, work)
        timer.daemon = True
        timer.start()

    def expire_sessions(self) -> None:
        """Sessions end."""
        self.sessions.clear()


def event(kind: str, body: Body) -> bytes:
    """A frame of the stream."""
    return f"data: {json.dumps({'result': {'type': kind, 'application': body}})}\n\n".encode()


def made(body: Body) -> Body:
    """The recorded Application, byte for byte, but for who it is and what it is to be."""
    new: Body = deepcopy(loaded("application.json"))
    new.pop("operation")
    new["status"] = {"sync": {"status": "Unknown"}, "health": {"status": "Healthy"}, "summary": {}}
    metadata = new["metadata"]
    metadata["uid"] = f"{time.monotonic_ns():032x}"
    metadata["labels"], metadata["annotations"] = {}, {}
    return merged(new, body)


def merged(made: Body, body: Body) -> Body:
    """An Application with what an upsert brings."""
    given = body["metadata"]
    for part in ("labels", "annotations"):
        made["metadata"].setdefault(part, {}).update(given.get(part, {}))
    made["metadata"]["name"] = given["name"]
    made["metadata"]["finalizers"] = given.get("finalizers", [])
    made["spec"] = body["spec"]
    return made
