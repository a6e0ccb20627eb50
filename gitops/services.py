"""Services as values describe them: in base/, and as they are in one environment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeGuard

from gitops.commits import Image
from gitops.layout import CHART
from gitops.problems import InvalidRepository
from gitops.values import Values, get, merge, table
from gitops.yamltext import Document

_SERVICES: Final = (CHART, "services")
_VARIABLES: Final = (CHART, "variables")


class VariableScope(StrEnum):
    """Where the value that counts was written. Of those that Lucity writes, the later wins."""

    BASE_SHARED = "BASE_SHARED"
    BASE = "BASE"
    ENVIRONMENT_SHARED = "ENVIRONMENT_SHARED"
    ENVIRONMENT = "ENVIRONMENT"


@dataclass(frozen=True)
class SecretKey:
    """A key of a Kubernetes Secret."""

    secret: str
    key: str


@dataclass(frozen=True)
class Variable:
    """An environment variable; exactly one of `value` and `from_secret` is set."""

    name: str
    value: str | None
    scope: VariableScope
    from_secret: SecretKey | None = None


@dataclass(frozen=True)
class Source:
    """Where a service's code lives."""

    repository_url: str
    branch: str = "main"
    context_path: str = "."
    dockerfile: str = "Dockerfile"


@dataclass(frozen=True)
class Service:
    """A service of base/values.yaml. `image` is the image repository, '' when base names none. Read `values` only."""

    name: str
    image: str
    port: int | None
    command: tuple[str, ...] | None
    source: Source | None
    variables: tuple[Variable, ...]
    values: Values


@dataclass(frozen=True)
class DeployedService:
    """A service in one environment, base merged in. `image` None: nothing is deployed. Read `values` only."""

    name: str
    image: Image | None
    replicas: int | None
    """None when a HorizontalPodAutoscaler or a schedule decides."""
    variables: tuple[Variable, ...]
    values: Values
    hosts: tuple[str, ...]


def services_of(base: Values) -> tuple[Service, ...]:
    """The services of base/values.yaml, sorted by name."""
    services = table(base, _SERVICES)
    return tuple(
        _service(name, base, table(services, (name,))) for name in sorted(services) if services[name] is not None
    )


def deployed_services(
    base: Values, own: Document, path: str
) -> tuple[tuple[DeployedService, ...], tuple[InvalidRepository, ...]]:
    """The services of an environment, sorted by name, and what is wrong with single ones."""
    override = own.data
    merged = merge(base, override)
    services = {name: service for name, service in table(merged, _SERVICES).items() if service is not None}
    found = tuple(_deployed(name, override, merged) for name in sorted(services))
    return found, tuple(_image_problems(services, own, path))


def runs_pods(service: DeployedService) -> bool:
    """Whether pods of it run all the time: not on a schedule, not scaled to none, and with an image."""
    return service.image is not None and not service.values.get("schedule") and service.replicas != 0


def image_of(service: object) -> Image | None:
    """The image that a service's effective values name; None without a repository, or with neither tag nor digest:
    the chart renders nothing of it.
    """
    image = table(service, ("image",))
    repository, tag, digest = (image.get(part) for part in ("repository", "tag", "digest"))
    if not repository or not (tag or digest) or not (isinstance(tag, str) or isinstance(digest, str)):
        return None
    return Image(_text(repository), _text(tag), digest if isinstance(digest, str) and digest else None)


def variables_of(merged: Values, override: Values, service: str) -> tuple[Variable, ...]:
    """The effective variables of a service, sorted; shared ones among them. A null hides what stands below it."""
    found: dict[str, Variable] = {}
    own_key = (*_SERVICES, service, "variables")
    for key, below, above in (
        (_VARIABLES, VariableScope.BASE_SHARED, VariableScope.ENVIRONMENT_SHARED),
        (own_key, VariableScope.BASE, VariableScope.ENVIRONMENT),
    ):
        own = table(override, key)
        for name, value in table(merged, key).items():
            if value is not None:
                found[name] = _variable(name, value, above if name in own else below)
    return tuple(found[name] for name in sorted(found))


def _service(name: str, base: Values, values: Values) -> Service:
    port = values.get("port")
    return Service(
        name=name,
        image=_text(get(values, ("image", "repository"))),
        port=port if _is_int(port) else None,
        command=_texts(values.get("command")),
        source=_source(values.get("source")),
        variables=variables_of(base, {}, name),
        values=values,
    )


def _deployed(name: str, override: Values, merged: Values) -> DeployedService:
    values = table(merged, (*_SERVICES, name))
    return DeployedService(
        name=name,
        image=image_of(values),
        replicas=_replicas(values),
        variables=variables_of(merged, override, name),
        values=values,
        hosts=tuple(_hosts(values.get("hosts"))),
    )


def _replicas(values: Values) -> int | None:
    if values.get("autoscaling") or values.get("schedule"):
        return None
    replicas = values.get("replicas")
    if replicas is None:
        return 1
    return replicas if _is_int(replicas) else None


def _variable(name: str, value: object, scope: VariableScope) -> Variable:
    if isinstance(value, Mapping):
        return Variable(name, None, scope, SecretKey(_text(value.get("secret")), _text(value.get("key"))))
    return Variable(name, _text(value), scope)


def _source(values: object) -> Source | None:
    url = get(values, ("repositoryUrl",))
    if not isinstance(url, str):
        return None
    given = {name: get(values, (name,)) for name in ("branch", "contextPath", "dockerfile")}
    branch, context_path, dockerfile = (_text(value) for value in given.values())
    return Source(url, branch or "main", context_path or ".", dockerfile or "Dockerfile")


def _hosts(hosts: object) -> Iterator[str]:
    for host in hosts if isinstance(hosts, list) else ():
        name = get(host, ("host",)) if isinstance(host, Mapping) else host
        if isinstance(name, str):
            yield name


def _image_problems(services: Values, own: Document, path: str) -> Iterator[InvalidRepository]:
    for name in sorted(services):
        for part in ("tag", "digest"):
            value = get(services[name], ("image", part))
            if value is not None and not isinstance(value, str):
                line = own.line_of((*_SERVICES, name, "image", part))
                yield InvalidRepository(
                    f"{path}:{line}: image.{part} of {name} must stand in quotes to be text", path, line
                )


def _texts(values: object) -> tuple[str, ...] | None:
    return tuple(_text(value) for value in values) if isinstance(values, list) else None


def _text(value: object) -> str:
    """A scalar as a template prints it; '' for None and for what is no scalar."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else ""


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
