"""Keeps a claim alive while its owner works, from a thread of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from adapters.ports import StaleClaim, Unreachable
from adapters.records import Claim
from adapters.wiring import Ports

_log = structlog.get_logger()


@contextmanager
def beating(ports: Ports, claim: Claim) -> Iterator[None]:
    """Extend the claim every third of its lease. A claim that is lost all the same shows at the next write."""
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(ports, claim, done), daemon=True, name=f"heartbeat {claim.project}")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(ports: Ports, claim: Claim, done: threading.Event) -> None:
    while not done.wait(ports.settings.lease_seconds / 3):
        try:
            ports.claims.heartbeat(claim)
        except StaleClaim:
            return
        except Unreachable as outage:
            _log.warning("heartbeat failed", project=claim.project, message=str(outage))
