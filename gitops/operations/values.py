"""Any other values of an environment or of base."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.layout import CHART
from gitops.messages import SERVICE, Trailer
from gitops.names import refuse
from gitops.operations.checks import Checks
from gitops.operations.layers import field_of, layer_paths, write_layer
from gitops.problems import Refused
from gitops.repository import SERVICES
from gitops.subjects import MAX_NAMED, Action, Subject, render_subject
from gitops.tree import Tree
from gitops.values import Key, parse_key, render_key

MAX_KEYS: Final = 200
MAX_TEXT_BYTES: Final = 64 * 1024
MAX_KEY_BYTES: Final = 256
MAX_DEPTH: Final = 20
INTEGERS: Final = range(-(2**63), 2**64)
"""What Go reads as an integer."""


@dataclass(frozen=True)
class ValueSetting:
    """A key below `lucity-app` and its new value, any JSON."""

    key: str
    value: Any


@dataclass(frozen=True)
class SetValues:
    """Any values of an environment (none: of base) but images, which are deployed."""

    KIND: ClassVar[JobKind] = JobKind.CONFIG
    project: str
    environment: str | None = None
    set: tuple[ValueSetting, ...] = ()
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
        return tuple(sorted({key[2] for key in self._keys() if len(key) > len(SERVICES) and key[:2] == SERVICES}))

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments, self.services)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return layer_paths(self.environment, self._keys())

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        if self.environment is not None:
            checks.environment(self.environment)
        texts = [*(each.key for each in self.set), *self.unset]
        checks.require(1 <= len(texts) <= MAX_KEYS, f"set or unset 1 to {MAX_KEYS} keys", "set")
        seen: list[Key] = []
        for index, text in enumerate(texts[:MAX_KEYS]):
            path = field_of(index, len(self.set), "key")
            checks.parse(lambda text: seen.append(_allowed(text)), text, *path)
        for index, key in enumerate(seen):
            clash = next(
                (other for other in seen[:index] if key[: len(other)] == other or other[: len(key)] == key), None
            )
            message = f"{render_key(key)} overlaps another key of this change: say it once"
            checks.require(clash is None, message, "set")
        for index, each in enumerate(self.set[:MAX_KEYS]):
            check_json(checks, each.value, ("set", str(index), "value"))
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        names = tuple(sorted(render_key(parse_key(each.key)) for each in self.set))
        unset = tuple(sorted(render_key(parse_key(text)) for text in self.unset))
        return render_subject(Subject(Action.SET, self.environment, set=names, unset=unset))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        sets: list[tuple[Key, object]] = [((CHART, *parse_key(each.key)), each.value) for each in self.set]
        edits = sets, [(CHART, *parse_key(text)) for text in self.unset]
        writes = write_layer(tree, self.project, self.environment, self.services, edits)
        lines = sorted([f"set {each.key}" for each in self.set] + [f"unset {text}" for text in self.unset])
        body = tuple(lines) if len(lines) > MAX_NAMED else ()
        trailers: tuple[Trailer, ...] = tuple((SERVICE, name) for name in self.services)
        return Draft(self.summary(), writes, body, trailers)

    def _keys(self) -> tuple[Key, ...]:
        texts = (*(each.key for each in self.set), *self.unset)
        try:
            return tuple((CHART, *parse_key(text)) for text in texts)
        except Refused:
            return ()


def check_json(checks: Checks, value: object, path: tuple[str, ...], depth: int = 0) -> None:
    """Check that YAML for Helm can hold a JSON value."""
    if depth > MAX_DEPTH:
        checks.wrong(f"nested deeper than {MAX_DEPTH} levels", *path)
        return
    match value:
        case dict():
            for key, inner in value.items():
                checks.text(str(key), MAX_KEY_BYTES, *path)
                check_json(checks, inner, path, depth + 1)
        case list() | tuple():
            for inner in value:
                check_json(checks, inner, path, depth + 1)
        case str():
            checks.text(value, MAX_TEXT_BYTES, *path)
        case int() | float():
            fits = value in INTEGERS if isinstance(value, int) else math.isfinite(value)
            checks.require(fits, "a number that Helm cannot read", *path)


def _allowed(text: str) -> Key:
    """The key; refused when it is Lucity's own, or another mutation is there for it."""
    key = parse_key(text)
    if key[0] in {"project", "environment", "ephemeral"}:
        raise refuse(f"{key[0]} is kept by Lucity and cannot be set")
    if key[0] == "services" and len(key) <= len(("services", "name")):
        raise refuse("name a key below services.<name>; whole services have mutations of their own")
    if key[0] == "services" and key[2] == "image":
        raise refuse("images are not set here: use deploy for tag and digest, updateService for the repository")
    return key
