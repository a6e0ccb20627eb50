"""What every operation asks: is the input well-formed (all its errors at once), and does what it names exist."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from gitops.layout import BASE_VALUES, environment_values
from gitops.names import EnvironmentName, ProjectName, ServiceName
from gitops.problems import Conflict, ConflictCode, FieldError, InvalidInput, InvalidRepository, NotFound, Refused
from gitops.repository import SERVICES, has_environment, read_settings
from gitops.tree import Tree, Writes
from gitops.values import Values, get, table
from gitops.yamltext import parse

MAX_SERVICES: Final = 200
MAX_SECRET: Final = 253
_SECRET: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_SECRET_KEY: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


class Checks:
    """Collects what is wrong with an input; `path` is in the words of the API."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def parse(self, parser: Callable[[str], object], text: str, *path: str) -> None:
        """Keep what a parser of gitops/names.py says of the text."""
        try:
            parser(text)
        except Refused as refused:
            self.wrong(refused.problem.message, *path)

    def project(self, name: str, *path: str) -> None:
        """A project's name, in field `project` unless said otherwise."""
        self.parse(ProjectName.parse, name, *(path or ("project",)))

    def environment(self, name: str, *path: str) -> None:
        """An environment's name, in field `environment` unless said otherwise."""
        self.parse(EnvironmentName.parse, name, *(path or ("environment",)))

    def service(self, name: str, *path: str) -> None:
        """A service's name, in field `name` unless said otherwise."""
        self.parse(ServiceName.parse, name, *(path or ("name",)))

    def services(self, names: Sequence[str], *, least: int, inside: str = "") -> None:
        """A list of services, in field `services`; `inside` is the field of an element that holds the name."""
        self.require(least <= len(names) <= MAX_SERVICES, f"name {least} to {MAX_SERVICES} services", "services")
        for index, name in enumerate(names[:MAX_SERVICES]):
            path = ("services", str(index), *([inside] if inside else []))
            self.service(name, *path)
            self.require(name not in names[:index], f"{name} is named twice", *path)

    def text(self, text: str, most: int, *path: str) -> None:
        """Text that files, Git and Kubernetes can hold: without NUL or half characters, at most `most` bytes."""
        size = len(text.encode("utf-8", "surrogatepass"))
        self.require(size <= most, f"at most {most} bytes", *path)
        whole = "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
        self.require(whole, "NUL and unpaired surrogates cannot be stored", *path)

    def secret(self, secret: str, key: str, *path: str) -> None:
        """The name of a Kubernetes Secret and of a key in it."""
        named = len(secret) <= MAX_SECRET and _SECRET.fullmatch(secret)
        self.require(
            bool(named), "no name of a Kubernetes Secret: lower-case letters, digits, - and .", *path, "secret"
        )
        keyed = len(key) <= MAX_SECRET and _SECRET_KEY.fullmatch(key)
        self.require(bool(keyed), "no key of a Secret: letters, digits, -, _ and .", *path, "key")

    def require(self, holds: bool, message: str, *path: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Keep the message unless the condition holds."""
        if not holds:
            self.wrong(message, *path)

    def wrong(self, message: str, *path: str) -> None:
        """Keep one error."""
        self._errors.append(FieldError(path, message))

    def finish(self) -> None:
        """Raise Refused(InvalidInput) with everything kept; pass when there is nothing."""
        if self._errors:
            message = "; ".join(f"{'.'.join(error.path)}: {error.message}" for error in self._errors[:3])
            more = f"; and {len(self._errors) - 3} more" if len(self._errors) > 3 else ""  # noqa: PLR2004
            raise Refused(InvalidInput(message + more, tuple(self._errors)))


def open_project(tree: Tree, project: str) -> None:
    """Pass when the project exists and is not being deleted. Raises Refused: NotFound, Conflict BEING_DELETED."""
    if not tree.folder(""):
        raise Refused(NotFound(f"the project {project} does not exist: create it first", "project", project))
    if read_settings(tree)[0].deleting:
        raise Refused(Conflict(f"the project {project} is being deleted", ConflictCode.BEING_DELETED))


def open_environment(tree: Tree, environment: str) -> bytes:
    """The environment's values file. Raises Refused(NotFound), or InvalidRepository when that file alone is missing or
    says nothing of services that could be understood.
    """
    path = environment_values(environment)
    data = tree.read(path)
    if data is not None:
        document = parse(data, path)
        if not isinstance(get(document.data, SERVICES) or {}, dict):
            line = document.line_of(SERVICES)
            raise Refused(InvalidRepository(f"{path}:{line}: {'.'.join(SERVICES)} must be a mapping", path, line))
        return data
    if has_environment(tree, environment):
        raise Refused(InvalidRepository(f"{path} is missing: bring it back, e.g. by git revert", path))
    message = f"the environment {environment} does not exist: create it, or choose one that is listed"
    raise Refused(NotFound(message, "environment", environment))


def open_base(tree: Tree) -> bytes:
    """The bytes of base/values.yaml. Raises Refused(InvalidRepository)."""
    data = tree.read(BASE_VALUES)
    if data is None:
        raise Refused(InvalidRepository(f"{BASE_VALUES} is missing: bring it back, e.g. by git revert", BASE_VALUES))
    return data


def base_services(tree: Tree) -> Values:
    """Service → its values in base/values.yaml. Raises Refused(InvalidRepository)."""
    data = parse(open_base(tree), BASE_VALUES).data
    services = table(data, SERVICES)
    return {name: table(services, (name,)) for name, value in services.items() if value is not None}


def need_services(services: Values, names: Sequence[str]) -> None:
    """Pass when all of them exist. Raises Refused(NotFound)."""
    for name in names:
        if name not in services:
            raise no_service(name)


def no_service(name: str) -> Refused:
    """NotFound about a service."""
    return Refused(NotFound(f"the service {name} does not exist: add it first", "service", name))


def repository_of(service: Values, name: str) -> str:
    """The image repository of a service. Raises Refused(InvalidRepository)."""
    repository = get(service, ("image", "repository"))
    if isinstance(repository, str) and repository:
        return repository
    message = f"{BASE_VALUES}: service {name} has no image.repository: set it with updateService"
    raise Refused(InvalidRepository(message, BASE_VALUES))


def changed(tree: Tree, writes: Writes) -> Writes:
    """Only those writes that change a file."""
    return {path: data for path, data in writes.items() if tree.read(path) != data}
