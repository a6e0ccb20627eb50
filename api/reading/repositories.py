"""What the files of a project say at one commit, and where in it a reader stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from gitops import repository, services
from gitops.problems import InvalidRepository
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
        return _placed(repository.read(ports.repositories.snapshot(project, sha)), sha)
    except MissingCommit:
        return Repository(None, (), Settings(), ())


def _placed(view: Repository, sha: str) -> Repository:
    """The same, every problem with the commit that it was seen in."""
    environments = tuple(
        replace(one, problems=_at(one.problems, sha)) if one.problems else one for one in view.environments
    )
    return replace(view, environments=environments, problems=_at(view.problems, sha))


def _at(problems: Iterable[InvalidRepository], sha: str) -> tuple[InvalidRepository, ...]:
    return tuple(replace(problem, commit_sha=sha) for problem in problems)
