"""Hearing what the delivery says for as long as somebody leads, whatever becomes of the line."""

import random
import threading
from collections.abc import Callable

import structlog

from adapters.ports import Delivery, StaleLead, Unreachable
from adapters.records import Gone
from gitops.rollouts import Observation

_RETRY_SECONDS = 1.0
_log = structlog.get_logger()


def listen(delivery: Delivery, hear: Callable[[Observation | Gone], object], over: threading.Event) -> None:
    """Hand on whatever it says until it is over; a line that breaks is opened again. StaleLead ends it."""
    while not over.is_set():
        try:
            for said in delivery.watch():
                if over.is_set():
                    return
                if said is not None:
                    hear(said)
        except StaleLead:
            over.set()
        except Unreachable as outage:
            _log.warning("delivery watch broke", component=outage.component, message=str(outage))
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the watch
            _log.exception("delivery watch failed unexpectedly")
        over.wait(random.uniform(0, _RETRY_SECONDS))  # noqa: S311 - jitter, not a secret
