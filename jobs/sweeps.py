"""What every worker looks after now and then: claims that expired, queues nobody rang for, records that are too old,
repositories that no project has.
"""

import threading

import structlog

from adapters.ports import Unreachable
from adapters.wiring import Ports
from jobs.leftovers import Leftovers

_log = structlog.get_logger()


def sweep(ports: Ports, owner: str) -> None:
    """One round, by one worker at a time."""
    if not ports.leases.acquire("sweep", owner, ports.settings.sweep_seconds):
        return
    ports.bell.ring(ports.claims.sweep(ports.settings.push_timeout_seconds))


def sweep_until(ports: Ports, owner: str, stopped: threading.Event) -> None:
    """Round after round, whatever a round meets."""
    leftovers = Leftovers(ports, owner)
    while not stopped.wait(ports.settings.sweep_seconds):
        try:
            sweep(ports, owner)
            leftovers.sweep()
        except Unreachable as outage:
            _log.warning("sweep failed", component=outage.component, message=str(outage))
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the sweeps
            _log.exception("sweep failed unexpectedly")
