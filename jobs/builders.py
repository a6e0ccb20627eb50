"""Whether a build can be carried out here: there is a registry, a builder, and a source."""

from typing import Final

from adapters.wiring import Ports
from gitops import repository
from gitops.changes import Change
from gitops.operations.builds import Build
from gitops.problems import Refused, Unavailable, invalid
from jobs import heads

LEASE: Final = "builder"
"""Held while some builder is there."""


def judge_build(ports: Ports, change: Change) -> None:
    """Raise Refused for a build that nothing here could carry out: Unavailable, InvalidInput for no source."""
    if not isinstance(change, Build):
        return
    if ports.registry is None:
        raise Refused(Unavailable("There is no registry to push images to: set LUCITY_REGISTRY.", "registry"))
    reason = None if ports.leases.held(LEASE) else ports.builder.absence()
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
