"""A cluster behind the fake Argo CD: whatever a head brings to an environment runs its course as in the real one, state
by state, in the recorded Application's own words.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.event_stream import EventStream
from gitops import repository
from gitops.tree import Tree
from tests.support.argocd_state import Body, FakeArgoCd
from tests.support.recordings import LIMIT_BYTES, raw

STEP_SECONDS = 0.05
_TIME = re.compile(r"2026-11-23T02:\d\d:\d\dZ")


@dataclass(frozen=True)
class Course:
    """A recorded rollout: its states of myapp-development, and what stands in them for what is old and new."""

    recording: str
    revision: str
    image: str
    skipped: int = 2
    """Events before the push."""

    def states(self, body: Body, revision: str, image: str) -> list[Body]:
        """The Application through all of them."""
        status = body["status"]
        old = {"revision": status["sync"].get("revision", ""), "images": status.get("summary", {}).get("images", [])}
        events = EventStream(LIMIT_BYTES).feed(raw(f"{self.recording}.sse"))
        frames = [json.loads(event)["result"]["application"] for event in events[self.skipped :]]
        mine = [frame for frame in frames if frame["metadata"]["name"] == "myapp-development"]
        before = mine[0]["status"]
        swaps = [
            (before["sync"]["revision"], old["revision"]),
            *((one, (old["images"] or [image])[0]) for one in before["summary"]["images"]),
            (self.revision, revision),
            (self.image, image),
            ("myapp-development", body["metadata"]["name"]),
        ]
        return [self._state(body, frame, swaps) for frame in mine]

    def _state(self, body: Body, frame: Body, swaps: list[tuple[str, str]]) -> Body:
        told = {key: frame[key] for key in ("status", "operation") if key in frame}
        text = json.dumps(told)
        for was, becomes in swaps:
            text = text.replace(was, becomes)
        state = {key: value for key, value in deepcopy(body).items() if key not in {"status", "operation"}}
        return {**state, **json.loads(text)}


GOOD = Course("deploy-good", "da81641d9b414ee59d00c30d3a584e937e52ed97", "registry.local/api:c000001")
BROKEN = Course("deploy-broken-image", "c3f740cd1dd644e26a138a7a9ebb707fdbd3c731", "registry.local/broken/api:d000001")


@dataclass
class Cluster:
    """Runs what the heads say, one Application at a time, whenever Argo CD looks at Git."""

    fake: FakeArgoCd
    head: Callable[[str], str | None]
    tree: Callable[[str, str], Tree]
    paused: bool = False
    """Whether rollouts stand still while their sync runs."""
    begun: set[tuple[str, str]] = field(default_factory=set)
    """(uid, head) of every rollout."""

    def look(self, name: str) -> None:
        """Argo CD compares an Application with Git."""
        threading.Thread(target=self._roll, args=(name,), daemon=True).start()

    def _roll(self, name: str) -> None:
        body = self.fake.applications.get(name)
        labels = body["metadata"]["labels"] if body is not None else {}
        if body is None or "lucity.dev/project" not in labels:
            return
        project, environment = labels["lucity.dev/project"], labels["lucity.dev/environment"]
        head = self.head(project)
        if head is None or body["status"]["sync"].get("revision") == head:
            return
        if (body["metadata"]["uid"], head) in self.begun:
            return
        self.begun.add((body["metadata"]["uid"], head))
        found = repository.read_environment(self.tree(project, head), environment).service("api")
        image = found.image.reference if found and found.image else None
        running = body["status"].get("summary", {}).get("images", [])
        if image is None or image in running:
            self._put({**body, "status": _moved(body["status"], head)})
            return
        course = BROKEN if "/broken" in image else GOOD
        for state in course.states(body, head, image):
            if not self._put(state):
                return
            time.sleep(STEP_SECONDS)
            while self.paused and state["status"]["sync"].get("revision") == head and "operation" in state:
                time.sleep(STEP_SECONDS)

    def _put(self, state: Body) -> bool:
        """Whether the Application still is there to be written."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told: Any = json.loads(_TIME.sub(now, json.dumps(state)))
        with self.fake.lock:
            present = self.fake.applications.get(told["metadata"]["name"])
            if present is None or "deletionTimestamp" in present["metadata"]:
                return False
            self.fake.put({**told, "metadata": deepcopy(present["metadata"])})
            return True


def _moved(status: Body, head: str) -> Body:
    """Nothing to do at this head."""
    return {**status, "sync": {**status["sync"], "status": "Synced", "revision": head}}
