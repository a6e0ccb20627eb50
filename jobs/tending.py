"""What a builder does beside its builds: it says that it is there, tidies up, and looks at followed branches."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from adapters.ports import Unreachable
from adapters.wiring import Ports
from jobs import source_polls
from jobs.builders import LEASE

_HELD_SECONDS: Final = 30.0
_BEAT_SECONDS: Final = 5.0
_PRUNE_SECONDS: Final = 300.0
_log = structlog.get_logger()


def tend_until(ports: Ports, owner: str, stopped: threading.Event) -> None:
    """Do all of it until the builder stops; what takes long is done in threads of its own. What says that a builder is
    there runs out by itself: another one may be there still.
    """
    polls = ports.settings.source_poll_seconds
    for seconds, round_ in ((_PRUNE_SECONDS, ports.builder.prune), (polls, lambda: source_polls.poll(ports))):
        threading.Thread(target=_repeat, args=(round_, seconds, stopped), daemon=True).start()
    _repeat(lambda: _beat(ports, owner), _BEAT_SECONDS, stopped)


def _beat(ports: Ports, owner: str) -> None:
    absence = ports.builder.absence()
    if absence is None:
        ports.leases.acquire(LEASE, LEASE, _HELD_SECONDS)
    else:
        _log.warning("nothing can be built here", owner=owner, reason=absence)


def _repeat(round_: Callable[[], None], seconds: float, stopped: threading.Event) -> None:
    """Round after round, whatever a round meets."""
    while True:
        try:
            round_()
        except Unreachable as outage:
            _log.warning("round failed", component=outage.component, message=str(outage))
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the builder
            _log.exception("round failed unexpectedly")
        if stopped.wait(seconds):
            return
