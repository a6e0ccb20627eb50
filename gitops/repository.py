"""A GitOps repository as values: what its files say about services and environments, read from a Tree.

A broken file stops the environments that it concerns and is told in `problems`; None means: cannot be told.
What was read is kept by the bytes it was read from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gitops.caching import SizedCache
from gitops.commits import Image
from gitops.history import images_of
from gitops.holds import Hold, holds_of
from gitops.layout import (
    BASE_VALUES,
    CHART,
    ENVIRONMENTS,
    PROJECT,
    environment_settings,
    environment_values,
)
from gitops.names import EnvironmentName
from gitops.pipelines import edges_of, pipeline_problems
from gitops.problems import InvalidRepository, Refused
from gitops.projectsettings import ForgeSettings, Previews, branches_of, forge_of, previews_of, setting_problems
from gitops.services import DeployedService, Service, deployed_services, services_of
from gitops.times import parse_time
from gitops.tree import Tree
from gitops.values import Values, merge
from gitops.yamltext import Document, parse

SERVICES: Final = (CHART, "services")
VARIABLES: Final = (CHART, "variables")


@dataclass(frozen=True)
class Environment:
    """One environment, base/ merged into it. `services` is None when base/values.yaml or its own file is broken."""

    name: str
    ephemeral: bool
    created_from: str | None
    expires_at: datetime | None
    services: tuple[DeployedService, ...] | None
    values_text: str | None
    """environments/<name>/values.yaml; None when it is missing or not UTF-8."""
    holds: tuple[Hold, ...] = ()
    """All that are written, expired ones too."""
    problems: tuple[InvalidRepository, ...] = ()

    def service(self, name: str) -> DeployedService | None:
        """One of its services."""
        return next((service for service in self.services or () if service.name == name), None)


@dataclass(frozen=True)
class Settings:
    """project.yaml. `pipeline`: (from, to) edges in the order written; `branches`: followed branch → where its pushes
    are deployed to.
    """

    deleting: bool = False
    pipeline: tuple[tuple[str, str], ...] = ()
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    previews: Previews = field(default_factory=Previews)
    forge: ForgeSettings = field(default_factory=ForgeSettings)
    values: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Repository:
    """A project at one commit. `services` is None when base/values.yaml is broken."""

    services: tuple[Service, ...] | None
    environments: tuple[Environment, ...]
    settings: Settings
    problems: tuple[InvalidRepository, ...]

    def service(self, name: str) -> Service | None:
        """One of its services."""
        return next((service for service in self.services or () if service.name == name), None)

    def environment(self, name: str) -> Environment | None:
        """One of its environments."""
        return next((environment for environment in self.environments if environment.name == name), None)


def read(tree: Tree) -> Repository:
    """Everything that the files say; never raises for what they say."""
    services, problems = _base(tree.read(BASE_VALUES))
    settings, trouble = read_settings(tree)
    environments = tuple(read_environment(tree, name) for name in environment_names(tree))
    own = (problem for environment in environments for problem in environment.problems)
    every = dict.fromkeys((*problems, *trouble, *_setting_problems(tree), *_strangers(tree), *own))
    return Repository(services, environments, settings, tuple(every))


def environment_names(tree: Tree) -> tuple[str, ...]:
    """The environments there are, sorted, readable or not."""
    return tuple(
        name for name in tree.folder(ENVIRONMENTS) if EnvironmentName.fits(name) and has_environment(tree, name)
    )


def has_environment(tree: Tree, environment: str) -> bool:
    """Whether the environment's folder holds one of the files that make it one."""
    files = environment_values(environment), environment_settings(environment)
    return any(tree.read(path) is not None for path in files)


def read_environment(tree: Tree, name: str) -> Environment:
    """One environment; its problems include those of base/values.yaml."""
    paths = BASE_VALUES, environment_values(name), environment_settings(name)
    files = tuple(tree.read(path) for path in paths)
    key = (name, *files)
    return _ENVIRONMENTS.get(key) or _ENVIRONMENTS.put(key, _environment(name, *files), _size(files))


def read_settings(tree: Tree) -> tuple[Settings, tuple[InvalidRepository, ...]]:
    """project.yaml, with defaults where it is missing or broken."""
    document, problems = _attempt(tree.read(PROJECT) or b"", PROJECT)
    if document is None:
        return Settings(), problems
    data = document.data
    settings = Settings(
        data.get("deleting") is True, edges_of(data), branches_of(data), previews_of(data), forge_of(data), data
    )
    return settings, problems


def effective_values(tree: Tree, environment: str) -> dict[str, object]:
    """base/values.yaml with the environment's laid over it, as Helm merges them. Raises Refused(InvalidRepository)."""
    base = parse(tree.read(BASE_VALUES) or b"", BASE_VALUES).data
    path = environment_values(environment)
    return merge(base, parse(tree.read(path) or b"", path).data)


def images(tree: Tree, environment: str) -> Mapping[str, Image] | None:
    """The effective image of each service that has one; empty for no such environment, None when it cannot be told."""
    path = environment_values(environment)
    files = tree.read(BASE_VALUES), tree.read(path)
    if files[1] is None:
        return {}
    key = (environment, *files)
    kept = _IMAGES.get(key)
    if kept is None:
        kept = _IMAGES.put(key, (_images(files[0] or b"", files[1], path),), _size(files))
    return kept[0]


def _images(base: bytes, own: bytes, path: str) -> Mapping[str, Image] | None:
    try:
        return dict(sorted(images_of(parse(base, BASE_VALUES).data, parse(own, path).data).items()))
    except Refused:
        return None


def _base(data: bytes | None) -> tuple[tuple[Service, ...] | None, tuple[InvalidRepository, ...]]:
    kept = _BASES.get(data)
    if kept is None:
        document, problems = _attempt(data, BASE_VALUES)
        services = services_of(document.data) if document else None
        kept = _BASES.put(data, (services, problems), _size((data,)))
    return kept


def _environment(name: str, base: bytes | None, own: bytes | None, settings: bytes | None) -> Environment:
    path = environment_values(name)
    below, base_problems = _attempt(base, BASE_VALUES)
    document, problems = _attempt(own, path)
    about, setting_problems = _attempt(settings or b"", environment_settings(name))
    said = about.data if about else {}
    expires_at, expiry_problems = _moment(said.get("expiresAt"), about, environment_settings(name))
    holds, hold_problems = holds_of(about, environment_settings(name)) if about else ((), ())
    services = None
    if below is not None and document is not None:
        services, image_problems = deployed_services(below.data, document, path)
        problems += image_problems
    created_from = said.get("createdFrom")
    return Environment(
        name=name,
        ephemeral=said.get("ephemeral") is True,
        created_from=created_from if isinstance(created_from, str) else None,
        expires_at=expires_at,
        services=services,
        values_text=_text(own),
        holds=holds,
        problems=base_problems + problems + setting_problems + expiry_problems + hold_problems,
    )


def _attempt(data: bytes | None, path: str) -> tuple[Document | None, tuple[InvalidRepository, ...]]:
    if data is None:
        return None, (InvalidRepository(f"{path} is missing: bring it back, e.g. by git revert", path),)
    try:
        document = parse(data, path)
    except Refused as refused:
        return None, (refused.problem,) if isinstance(refused.problem, InvalidRepository) else ()
    return document, tuple(_wrong_tables(document, path))


def _wrong_tables(document: Document, path: str) -> Iterator[InvalidRepository]:
    """Places where a mapping must stand and something else does."""
    for key in ((CHART,), SERVICES, VARIABLES):
        inner: object = document.data
        for segment in key:
            inner = inner.get(segment) if isinstance(inner, dict) else None
        if inner is not None and not isinstance(inner, dict):
            line = document.line_of(key)
            yield InvalidRepository(f"{path}:{line}: {'.'.join(key)} must be a mapping", path, line)


def _moment(
    value: object, document: Document | None, path: str
) -> tuple[datetime | None, tuple[InvalidRepository, ...]]:
    if value is None or document is None:
        return None, ()
    try:
        return parse_time(str(value)), ()
    except ValueError:
        line = document.line_of(("expiresAt",))
        return None, (InvalidRepository(f"{path}:{line}: expiresAt is no RFC 3339 time", path, line),)


def _setting_problems(tree: Tree) -> Iterator[InvalidRepository]:
    document, _ = _attempt(tree.read(PROJECT) or b"", PROJECT)
    if document is not None:
        yield from pipeline_problems(document, PROJECT)
        yield from setting_problems(document, PROJECT)


def _strangers(tree: Tree) -> Iterator[InvalidRepository]:
    for name in tree.folder(ENVIRONMENTS):
        path = f"{ENVIRONMENTS}/{name}"
        if not EnvironmentName.fits(name) and tree.read(f"{path}/values.yaml") is not None:
            yield InvalidRepository(f"{path}: this folder's name is no environment name, so it is passed over", path)


def _text(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


def _size(files: tuple[bytes | None, ...]) -> int:
    return 1024 + sum(len(data) for data in files if data is not None)


_ENVIRONMENTS: Final[SizedCache[Environment]] = SizedCache(16 * 1024 * 1024)
_IMAGES: Final[SizedCache[tuple[Mapping[str, Image] | None]]] = SizedCache(8 * 1024 * 1024)
_BASES: Final[SizedCache[tuple[tuple[Service, ...] | None, tuple[InvalidRepository, ...]]]] = SizedCache(
    8 * 1024 * 1024
)
