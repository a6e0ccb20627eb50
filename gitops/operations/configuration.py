"""Settings with mutations of their own: replicas and variables."""

from dataclasses import dataclass
from typing import ClassVar, Final

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.layout import BASE_VALUES, environment_folder, environment_values
from gitops.messages import SERVICE
from gitops.names import VariableName
from gitops.operations.checks import (
    Checks,
    base_services,
    changed,
    need_services,
    open_environment,
    open_project,
)
from gitops.operations.layers import field_of, layer_paths, write_layer
from gitops.operations.precedence import Edits
from gitops.operations.services import MAX_REPLICAS
from gitops.repository import SERVICES, VARIABLES
from gitops.services import SecretKey
from gitops.subjects import MAX_NAMED, Action, Subject, render_subject
from gitops.tree import Tree
from gitops.yamltext import edit

MAX_VALUE_BYTES: Final = 64 * 1024
MAX_KEYS: Final = 200


@dataclass(frozen=True)
class Scale:
    """Another number of replicas of a service in an environment."""

    KIND: ClassVar[JobKind] = JobKind.CONFIG
    project: str
    environment: str
    service: str
    replicas: int

    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,)

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return (self.service,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments, self.services)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_folder(self.environment), BASE_VALUES)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment)
        checks.service(self.service, "service")
        checks.require(0 <= self.replicas <= MAX_REPLICAS, f"between 0 and {MAX_REPLICAS}", "replicas")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return self._subject(alone=False)

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        data = open_environment(tree, self.environment)
        services = base_services(tree)
        need_services(services, self.services)
        path = environment_values(self.environment)
        edited = edit(data, path, [((*SERVICES, self.service, "replicas"), self.replicas)])
        writes = changed(tree, {path: edited})
        return Draft(self._subject(alone=len(services) == 1), writes, trailers=((SERVICE, self.service),))

    def _subject(self, *, alone: bool) -> str:
        images = () if alone else ((self.service, ""),)
        return render_subject(Subject(Action.SCALE, self.environment, images=images, value=str(self.replicas)))


@dataclass(frozen=True)
class VariableSetting:
    """A variable's new value, or the Secret that it comes from: exactly one of the two."""

    name: str
    value: str | None = None
    from_secret: SecretKey | None = None


@dataclass(frozen=True)
class SetVariables:
    """Variables of an environment (none: of base) and of a service (none: shared by all)."""

    KIND: ClassVar[JobKind] = JobKind.CONFIG
    project: str
    environment: str | None = None
    service: str | None = None
    set: tuple[VariableSetting, ...] = ()
    unset: tuple[str, ...] = ()

    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,) if self.environment else ()

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return (self.service,) if self.service else ()

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments, self.services)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        sets, unsets = self._edits()
        return layer_paths(self.environment, [*(key for key, _ in sets), *unsets])

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        if self.environment is not None:
            checks.environment(self.environment)
        if self.service is not None:
            checks.service(self.service, "service")
        names = [*(each.name for each in self.set), *self.unset]
        checks.require(1 <= len(names) <= MAX_KEYS, f"set or unset 1 to {MAX_KEYS} variables", "set")
        for index, name in enumerate(names[:MAX_KEYS]):
            path = field_of(index, len(self.set), "name")
            checks.parse(VariableName.parse, name, *path)
            checks.require(name not in names[:index], f"{name} is named twice", *path)
        for index, each in enumerate(self.set[:MAX_KEYS]):
            _check_setting(checks, each, ("set", str(index)))
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        named = tuple((name, "") for name in self.services)
        names = tuple(sorted(each.name for each in self.set))
        return render_subject(Subject(Action.SET, self.environment, named, set=names, unset=tuple(sorted(self.unset))))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        writes = write_layer(tree, self.project, self.environment, self.services, self._edits())
        return Draft(self.summary(), writes, self._body(), tuple((SERVICE, name) for name in self.services))

    def _edits(self) -> Edits:
        key = (*SERVICES, self.service, "variables") if self.service else VARIABLES
        return [((*key, each.name), _setting_value(each)) for each in self.set], [(*key, name) for name in self.unset]

    def _body(self) -> tuple[str, ...]:
        lines = [f"set {each.name}" for each in self.set] + [f"unset {name}" for name in self.unset]
        return tuple(sorted(lines)) if len(lines) > MAX_NAMED else ()


def _setting_value(setting: VariableSetting) -> object:
    secret = setting.from_secret
    return setting.value if secret is None else {"secret": secret.secret, "key": secret.key}


def _check_setting(checks: Checks, setting: VariableSetting, path: tuple[str, ...]) -> None:
    one = (setting.value is None) != (setting.from_secret is None)
    checks.require(one, "give either value or fromSecret", *path)
    if setting.value is not None:
        checks.text(setting.value, MAX_VALUE_BYTES, *path, "value")
    if setting.from_secret is not None:
        checks.secret(setting.from_secret.secret, setting.from_secret.key, *path, "fromSecret")
