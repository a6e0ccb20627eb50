"""Whether builds can be carried out: builders say that they are there, and tidy up after their builds."""

import threading
from typing import Final

import structlog

from adapters.ports import Unreachable
from adapters.wiring import Ports
from gitops import repository
from gitops.changes import Change
from gitops.operations.builds import Build
from gitops.problems import Refused, Unavailable, invalid
from jobs import heads

_LEASE: Final = "builder"
_HELD_SECONDS: Final = 30.0
_BEAT_SECONDS: Final = 5.0
_PRUNE_BEATS: Final = 60
_log = structlog.get_logger()


def judge_build(ports: Ports, change: Change) -> None:
    """Raise Refused for a build that nothing here could carry out: Unavailable, InvalidInput for no source."""
    if not isinstance(change, Build):
        return
    if ports.registry is None:
        raise Refused(Unavailable("There is no registry to push images to: set LUCITY_REGISTRY.", "registry"))
    reason = None if ports.leases.held(_LEASE) else ports.builder.absence()
    if reason is not None:
        message = f"No builder is running ({reason}): start `lucity builder` where there is one."
        raise Refused(Unavailable(message, "builder"))
    _judge_source(ports, change)


def _judge_source(ports: Ports, change: Build) -> None:
    head = heads.current(ports, change.project).sha
    if head is None or ports.ledger.unfinished([change.project]).get(change.project):
        return
    service = repository.read(ports.repositories.snapshot(change.project, head)).service(change.service)
    if service is not None and service.source is None:
        raise invalid("service", f"{service.name} has no source: name its repository with updateService first.")


def tend_until(ports: Ports, owner: str, stopped: threading.Event) -> None:
    """Say again and again that a builder is here, and now and then remove what builds left."""
    beats = 0
    while True:
        try:
            _tend(ports, owner, beats)
        except Unreachable as outage:
            _log.warning("builder not told of", component=outage.component, message=str(outage))
        except Exception:  # noqa: BLE001 - a mistake of ours must not end the builder
            _log.exception("tending failed unexpectedly")
        beats += 1
        if stopped.wait(_BEAT_SECONDS):
            ports.leases.release(_LEASE, _LEASE)
            return


def _tend(ports: Ports, owner: str, beats: int) -> None:
    absence = ports.builder.absence()
    if absence is not None:
        _log.warning("nothing can be built here", owner=owner, reason=absence)
        return
    ports.leases.acquire(_LEASE, _LEASE, _HELD_SECONDS)
    if beats % _PRUNE_BEATS == 0:
        ports.builder.prune()
