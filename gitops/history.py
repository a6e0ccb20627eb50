"""What commits did, told by the values they changed and never by what they say.

A walk carries a State from commit to commit; each step answers an Effect. Nothing here reads Git: whoever walks brings
the changed files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitops.commits import CommitKind, GitCommit, Image, ImageChange
from gitops.layout import BASE, BASE_VALUES, CHART, ENVIRONMENTS, PROJECT, environment_of, touches
from gitops.messages import JOB_ID, parse
from gitops.names import EnvironmentName
from gitops.problems import Refused
from gitops.services import image_of
from gitops.values import ChangeKind, Values, changes, get, merge, render_key, table
from gitops.yamlnodes import same
from gitops.yamltext import parse as parse_yaml

_SERVICES = (CHART, "services")
_VALUES = "values.yaml"


@dataclass(frozen=True)
class EnvironmentState:
    """One environment: its last readable values, and the images that they come to over the base."""

    values: Values = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """All that the next commit is compared with. A file that cannot be read keeps what it last said."""

    base: Values = field(default_factory=dict)
    environments: Mapping[str, EnvironmentState] = field(default_factory=dict)


@dataclass(frozen=True)
class Delta:
    """What a commit changed against its first parent."""

    paths: tuple[str, ...]
    environments: frozenset[str]
    """Names of the environments whose folder is there after it."""
    values: Mapping[str, bytes | None]
    """The new bytes of those among `paths` that are values files (see is_values); None: removed."""


@dataclass(frozen=True)
class Effect:
    """What a commit did; environments and services as in CommitRecord, all sorted."""

    environments: tuple[str, ...]
    services: tuple[str, ...]
    images: tuple[ImageChange, ...]
    touched: tuple[tuple[str, str], ...]
    """(environment, service) pairs whose values or image it changed; a change of base counts in every environment."""
    created: tuple[str, ...]
    deleted: tuple[str, ...]


@dataclass(frozen=True)
class FileChange:
    """One key of one YAML file that a commit changed; `key` is its full path in the file, as render_key writes it."""

    path: str
    environment: str | None
    key: str
    kind: ChangeKind
    before: object
    after: object


def told_by(commit: GitCommit) -> tuple[CommitKind, str | None]:
    """The kind and the Job-Id that a message tells; what Lucity did not sign is EXTERNAL and of no job."""
    if not commit.trusted:
        return CommitKind.EXTERNAL, None
    message = parse(commit.message)
    return message.kind, message.first(JOB_ID)


def is_values(path: str) -> bool:
    """Whether a file's values decide what runs."""
    environment = environment_of(path)
    return path == BASE_VALUES or (environment is not None and path == f"{ENVIRONMENTS}/{environment}/{_VALUES}")


def is_structured(path: str) -> bool:
    """Whether a file holds values of ours, to be told key by key."""
    return path in {BASE_VALUES, PROJECT} or (environment_of(path) is not None and path.endswith(".yaml"))


def environment_names(folders: Iterable[str]) -> frozenset[str]:
    """The environments among the names of the folders below environments/; one with an impossible name is none."""
    return frozenset(name for name in folders if EnvironmentName.fits(name))


def read_values(data: bytes | None, path: str) -> Values | None:
    """A values file as Helm reads it, empty when there is none; None when nothing must be concluded from it."""
    if data is None:
        return {}
    try:
        values = parse_yaml(data, path, keep=False).data  # a walk meets each version of a file once
    except Refused:
        return None
    return values if _has_shape(values) else None


def images_of(base: Values, values: Values) -> dict[str, Image]:
    """Service → the image that base merged with an environment's values comes to; services without one are absent."""
    services = table(merge(base, values), _SERVICES)
    found = ((name, image_of(service)) for name, service in services.items())
    return {name: image for name, image in found if image is not None}


def state_of(base: Values, environments: Mapping[str, Values]) -> State:
    """The state that a walk has reached when these are the last readable values."""
    return State(base, {name: EnvironmentState(own, images_of(base, own)) for name, own in environments.items()})


def step(state: State, delta: Delta) -> tuple[State, Effect]:
    """The state after one more commit, and what the commit did."""
    base = _latest(delta, BASE_VALUES, state.base)
    changed_in_base = _changed_services(state.base, base)
    by_base = any(touches(path, BASE) for path in delta.paths)
    folders = environment_names(name for path in delta.paths if (name := environment_of(path)))
    concerned = folders | (delta.environments if by_base else frozenset())
    environments = {name: was for name, was in state.environments.items() if name in delta.environments}
    touched: set[tuple[str, str]] = set()
    images: list[ImageChange] = []
    for name in sorted(concerned):
        before = state.environments.get(name, EnvironmentState())
        after, changed = _environment_after(name, before, base, delta, by_base=base is not state.base)
        if name in delta.environments:
            environments[name] = after
        replaced = _image_changes(name, before.images, after.images)
        images.extend(replaced)
        own = changed | {change.service for change in replaced}
        touched.update((name, service) for service in own | changed_in_base)
    effect = Effect(
        environments=tuple(sorted(concerned)),
        services=tuple(sorted(changed_in_base | {service for _, service in touched})),
        images=tuple(images),
        touched=tuple(sorted(touched)),
        created=tuple(sorted(delta.environments - state.environments.keys())),
        deleted=tuple(sorted(state.environments.keys() - delta.environments)),
    )
    return State(base, environments), effect


def value_changes(path: str, before: bytes | None, after: bytes | None) -> tuple[FileChange, ...]:
    """What differs in one YAML file, key by key; nothing for other files and when either side cannot be read."""
    if not is_structured(path):
        return ()
    try:
        old, new = (parse_yaml(data, path).data if data is not None else {} for data in (before, after))
    except Refused:
        return ()
    environment = environment_of(path)
    return tuple(
        FileChange(path, environment, render_key(change.key), change.kind, change.before, change.after)
        for change in changes(old, new)
    )


def _environment_after(
    name: str, before: EnvironmentState, base: Values, delta: Delta, *, by_base: bool
) -> tuple[EnvironmentState, set[str]]:
    """An environment after the commit, and the services of which its own file says something else."""
    if name not in delta.environments:
        return EnvironmentState(), _changed_services(before.values, {})
    values = _latest(delta, f"{ENVIRONMENTS}/{name}/{_VALUES}", before.values)
    changed = _changed_services(before.values, values)
    found = images_of(base, values) if by_base else _images_after(before, base, values, changed)
    return EnvironmentState(values, found), changed


def _images_after(before: EnvironmentState, base: Values, values: Values, changed: set[str]) -> Mapping[str, Image]:
    """What images_of says, asked only for the services that changed, over a base that did not."""
    if not all(isinstance(get(own, _SERVICES), Mapping) for own in (before.values, values)):
        return images_of(base, values)
    mine = {CHART: {"services": _some(values, changed)}}
    fresh = images_of({CHART: {"services": _some(base, changed)}}, mine)
    return {name: image for name, image in before.images.items() if name not in changed} | fresh


def _some(values: Values, names: set[str]) -> dict[str, object]:
    return {name: service for name, service in table(values, _SERVICES).items() if name in names}


def _latest(delta: Delta, path: str, before: Values) -> Values:
    if path not in delta.values:
        return before
    values = read_values(delta.values[path], path)
    return before if values is None else values


def _changed_services(before: Values, after: Values) -> set[str]:
    if before is after:
        return set()
    old, new = table(before, _SERVICES), table(after, _SERVICES)
    return {
        name
        for name in old.keys() | new.keys()
        if (name in old) != (name in new) or not same(old.get(name), new.get(name))
    }


def _image_changes(environment: str, before: Mapping[str, Image], after: Mapping[str, Image]) -> list[ImageChange]:
    return [
        ImageChange(environment, service, before.get(service), after.get(service))
        for service in sorted(before.keys() | after.keys())
        if before.get(service) != after.get(service)
    ]


def _has_shape(values: Values) -> bool:
    """Whether mappings stand where mappings must: of anything else no image is claimed."""
    services = get(values, _SERVICES)
    if not _is_table(get(values, (CHART,))) or not _is_table(services):
        return False
    listed = services.values() if isinstance(services, Mapping) else ()
    return all(_is_table(service) and _is_table(get(service, ("image",))) for service in listed)


def _is_table(value: object) -> bool:
    return value is None or isinstance(value, Mapping)
