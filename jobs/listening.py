"""Hearing what the delivery says for as long as somebody leads, whatever becomes of the line."""

import random
import threading
from collections.abc import Callable, Iterator

import structlog

from adapters.ports import StaleLead, Unreachable
from adapters.records import Gone
from gitops.rollouts import Observation

Said = Observation | Gone
_RETRY_SECONDS = 1.0
_log = structlog.get_logger()


def listen(watch: Callable[[], Iterator[Said | None]], hear: Callable[[Said], object], over: threading.Event) -> None:
    """Hand on whatever is said until it is over; a line that breaks is opened again. StaleLead ends it."""
    while not over.is_set():
        try:
            for said in watch():
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
