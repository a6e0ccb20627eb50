"""What a commit means for one environment: the services that it changed there, and the images that pods must run."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.wiring import Ports
from gitops import repository
from gitops.commits import CommitRecord, Image
from gitops.services import runs_pods


@dataclass(frozen=True)
class LocalEffect:
    """One commit in one environment. `images`: what pods of `services` must run, as in CommitFacts."""

    services: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()


def local_effects(ports: Ports, project: str, head: str, record: CommitRecord) -> Mapping[str, LocalEffect]:
    """Environment → what the commit means there. Raises MissingCommit."""
    touched = ports.history.touched(project, head, record.git.sha)
    return {
        name: LocalEffect(
            tuple(service for environment, service in touched if environment == name),
            _images(ports, project, record, name),
        )
        for name in record.environments
    }


def _images(ports: Ports, project: str, record: CommitRecord, name: str) -> tuple[Image, ...]:
    changed = {change.service: change.after for change in record.images if change.environment == name and change.after}
    if not changed:
        return ()
    environment = repository.read_environment(ports.repositories.snapshot(project, record.git.sha), name)
    running = {service.name for service in environment.services or () if runs_pods(service)}
    return tuple(image for service, image in changed.items() if service in running)
