"""From Argo CD's own stream, read directly, to the same news at a WebSocket subscriber of Lucity, in the same run.

Needs a real Argo CD, and takes Soft-serve and a cluster too where they are named: see tests/support/realstack.py.
"""

import os
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed

from adapters.argocd_parse import Change, parse_frame
from adapters.event_stream import EventStream
from bench import _support
from gitops.rollouts import Observation
from tests.support.product import Product
from tests.support.realshop import ArgoCd
from tests.support.realstack import all_settings, argocd_settings
from tests.support.streams import over_websocket

DEPLOYS = 15
ENVIRONMENT = "development"
STREAM = "/api/v1/stream/applications"
LIMIT_BYTES = 8 * 1024 * 1024
QUERY = """subscription {{ environmentStatus(project: "{project}", environment: "development") {{
  status {{ sync health revision operation {{ phase }} resources {{ kind name sync health }} }} }} }}"""

Key = tuple[object, ...]


@dataclass
class Heard:
    """What one of the two heard, and when."""

    items: list[tuple[Key, float]] = field(default_factory=list)
    listening: threading.Event = field(default_factory=threading.Event)

    def note(self, key: Key, at: float) -> None:
        """One item."""
        self.items.append((key, at))
        self.listening.set()


def main() -> None:
    """Print the figures."""
    if not os.environ.get("LUCITY_TEST_ARGOCD_URL"):
        print("  not measured: LUCITY_TEST_ARGOCD_URL names no Argo CD")
        return
    together = {"LUCITY_TEST_SOFTSERVE_SSH_URL", "LUCITY_TEST_KUBECONFIG"} <= os.environ.keys()
    settings = all_settings() if together else argocd_settings()
    project = f"b{uuid.uuid4().hex[:8]}"
    argo = ArgoCd(settings)
    with _support.lucity(**settings) as product:
        product.found(project)
        try:
            measure(product, argo, project)
        finally:
            product.asks.succeeded(product.asks.change("deleteProject", name=project, confirm=project))
            argo.close()


def measure(product: Product, argo: ArgoCd, project: str) -> None:
    """Deploy again and again, and compare when both heard of it."""
    direct, subscriber = Heard(), Heard()
    for listen in (partial(read_argo, argo, project, direct), partial(subscribe, product, project, subscriber)):
        threading.Thread(target=listen, daemon=True).start()
    for heard in (direct, subscriber):
        assert heard.listening.wait(60)
    _support.title(f"{DEPLOYS} deploys, from Argo CD's stream to a subscriber (aim: at most 100 ms added)")
    for number in range(DEPLOYS):
        product.asks.succeeded(product.asks.deploy(project, "api", f"v{number}"))
        quiet(direct)
    added, missed = compared(direct.items, subscriber.items)
    _support.show({"added by observer, Redis and API": added})
    print(f"  {missed} of {len(direct.items)} not heard one by one: overtaken by what came after them")


def read_argo(argo: ArgoCd, project: str, heard: Heard) -> None:
    """Note what Argo CD's stream says of the environment, but for mere ticks of its clock."""
    before: Observation | None = None
    events = EventStream(LIMIT_BYTES)
    query = {"selector": f"lucity.dev/project={project}"}
    headers = {"Accept": "text/event-stream"}
    with (
        suppress(httpx.HTTPError),
        argo.http.stream("GET", STREAM, params=query, headers=headers, timeout=None) as answer,
    ):
        for chunk in answer.iter_bytes():
            at = time.perf_counter()
            for data in events.feed(chunk):
                frame = parse_frame(data, datetime.min.replace(tzinfo=UTC))
                if frame is None or frame[0] is not Change.PUT:
                    continue
                now = replace(frame[1].observation, compared_at=None)
                if now != before:
                    before = now
                    heard.note(key_of(now), at)


def subscribe(product: Product, project: str, heard: Heard) -> None:
    """Note what a subscriber hears."""
    with suppress(ConnectionClosed), over_websocket(product.up, QUERY.format(project=project)) as stream:
        for item in stream:
            heard.note(key_told(item["status"]), time.perf_counter())


def key_of(seen: Observation) -> Key:
    """What both can tell of a state."""
    phase = seen.operation.phase if seen.operation else None
    resources = sorted((one.kind, one.name, one.sync.value, one.health.value) for one in seen.resources)
    return seen.sync.value, seen.health.value, seen.revision, phase and phase.value, tuple(resources)


def key_told(status: dict[str, Any]) -> Key:
    """The same, of a subscriber's item."""
    phase = status["operation"] and status["operation"]["phase"]
    resources = sorted((one["kind"], one["name"], one["sync"], one["health"]) for one in status["resources"])
    return status["sync"], status["health"], status["revision"], phase, tuple(resources)


def quiet(heard: Heard) -> None:
    """Return once the rollout has ended, and nothing was heard for a while."""
    while True:
        key, at = heard.items[-1]
        if key[:2] == ("SYNCED", "HEALTHY") and time.perf_counter() - at > 2:
            return
        time.sleep(0.05)


def compared(direct: list[tuple[Key, float]], told: list[tuple[Key, float]]) -> tuple[list[float], int]:
    """Seconds between hearing it here and there, in order; how many were not told one by one."""
    added, position = [], 0
    for key, at in direct:
        found = next((place for place in range(position, len(told)) if told[place][0] == key), None)
        if found is not None:
            added.append(told[found][1] - at)
            position = found + 1
    return added[1:], len(direct) - len(added)


if __name__ == "__main__":
    main()
