"""What the files of a project say at one commit, and where in it a reader stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from gitops import repository, services
from gitops.repository import Environment, Repository, Settings


@dataclass(frozen=True)
class Place:
    """One environment of a project at one commit."""

    project: str
    sha: str
    view: Repository
    environment: Environment

    def service(self, deployed: services.DeployedService) -> services.Service:
        """The service as base defines it; one that base does not know is told by the environment alone."""
        found = self.view.service(deployed.name)
        if found is not None:
            return found
        image = deployed.image.repository if deployed.image else ""
        return services.Service(deployed.name, image, None, None, None, (), {})


def views_of(ports: Ports, keys: Sequence[tuple[str, str]]) -> list[Repository]:
    """What the files say at each (project, sha), in order; a commit that the mirror lost says nothing."""
    return [_view(ports, project, sha) for project, sha in keys]


def places_of(project: str, sha: str, view: Repository) -> list[Place]:
    """Every environment, in the order of their names."""
    return [Place(project, sha, view, environment) for environment in view.environments]


def place_of(project: str, sha: str, view: Repository, name: str) -> Place | None:
    """One environment."""
    environment = view.environment(name)
    return Place(project, sha, view, environment) if environment else None


def _view(ports: Ports, project: str, sha: str) -> Repository:
    try:
        return repository.read(ports.repositories.snapshot(project, sha))
    except MissingCommit:
        return Repository(None, (), Settings(), ())
