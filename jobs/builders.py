"""Whether a build can be carried out here: there is a registry that takes the image, a builder, and a source."""

from typing import Final

from adapters.ports import Registry
from adapters.wiring import Ports
from gitops import repository
from gitops.changes import Change
from gitops.operations.builds import Build
from gitops.problems import Refused, Unavailable, invalid
from gitops.services import Service
from jobs import heads

LEASE: Final = "builder"
"""Held while some builder is there."""


def judge_build(ports: Ports, change: Change) -> None:
    """Raise Refused for a build that nothing here could carry out: Unavailable; InvalidInput for a service without a
    source or with an image elsewhere.
    """
    if not isinstance(change, Build):
        return
    _registry(ports)
    reason = None if ports.leases.held(LEASE) else ports.builder.absence()
    if reason is not None:
        message = f"No builder is running ({reason}): start `lucity builder` where there is one."
        raise Refused(Unavailable(message, "builder"))
    _judge_service(ports, change)


def registry_of(ports: Ports, service: Service) -> Registry:
    """Where the images of a service go. Raises Refused: Unavailable without any registry, InvalidInput for another."""
    registry = _registry(ports)
    if not registry.holds(service.image):
        where = ports.settings.registry
        message = f"{service.image} is not in the registry {where}: name an image there with updateService first."
        raise invalid("service", message)
    return registry


def _registry(ports: Ports) -> Registry:
    if ports.registry is None:
        raise Refused(Unavailable("There is no registry to push images to: set LUCITY_REGISTRY.", "registry"))
    return ports.registry


def _judge_service(ports: Ports, change: Build) -> None:
    head = heads.current(ports, change.project).sha
    if head is None or ports.ledger.unfinished([change.project]).get(change.project):
        return
    service = repository.read(ports.repositories.snapshot(change.project, head)).service(change.service)
    if service is None:
        return
    if service.source is None:
        raise invalid("service", f"{service.name} has no source: name its repository with updateService first.")
    registry_of(ports, service)
