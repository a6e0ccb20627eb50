"""The project's own settings: followed branches, previews, the forge, the pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from gitops.changes import Context, Draft, JobKind, Ref
from gitops.layout import PROJECT
from gitops.messages import fold
from gitops.operations.checks import Checks, changed, open_project
from gitops.operations.values import MAX_KEYS, ValueSetting, check_json
from gitops.problems import NotFound, Refused
from gitops.projectsettings import BRANCHES, FORGE, PREVIEWS, environments_of, key_fault, value_fault
from gitops.repository import has_environment
from gitops.subjects import MAX_NAMED, Action, Subject, render_subject
from gitops.tree import Tree
from gitops.values import Key, parse_key, render_key
from gitops.yamltext import edit

_TABLES: Final = {(BRANCHES,), (PREVIEWS,), (FORGE,)}
"""What can be unset as a whole."""


@dataclass(frozen=True)
class UpdateProject:
    """Set and unset keys of project.yaml; all else in it stays as it is."""

    KIND: ClassVar[JobKind] = JobKind.PROJECT_UPDATE
    project: str
    values: tuple[ValueSetting, ...] = ()
    unset: tuple[str, ...] = ()

    environments: ClassVar[tuple[str, ...]] = ()
    services: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (PROJECT,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        named = {name for each in self.values for name in environments_of(_key(each.key), each.value)}
        return tuple(Ref("environment", name) for name in sorted(named))

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        texts = (*(each.key for each in self.values), *self.unset)
        checks.require(1 <= len(texts) <= MAX_KEYS, f"set or unset 1 to {MAX_KEYS} keys", "values")
        seen: list[Key] = []
        for path, key in self._keys(checks):
            clash = any(key[: len(other)] == other or other[: len(key)] == key for other in seen)
            checks.require(not clash, f"{render_key(key)} overlaps another key of this change: say it once", *path)
            seen.append(key)
        for index, each in enumerate(self.values[:MAX_KEYS]):
            check_json(checks, each.value, ("values", str(index), "value"))
            key = _key(each.key)
            fault = None if not key or key_fault(key) else value_fault(key, each.value)
            checks.require(fault is None, f"{render_key(key)} {fault}", "values", str(index), "value")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        names = tuple(sorted(render_key(_key(each.key)) for each in self.values))
        unset = tuple(sorted(render_key(_key(text)) for text in self.unset))
        return render_subject(Subject(Action.PROJECT_UPDATE, set=names, unset=unset))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        for need in self.needs:
            if not has_environment(tree, need.name):
                message = f"the environment {need.name} does not exist: create it first"
                raise Refused(NotFound(message, need.what, need.name))
        sets: list[tuple[Key, object]] = [(_key(each.key), each.value) for each in self.values]
        unsets = [_key(text) for text in self.unset]
        data = edit(tree.read(PROJECT) or b"", PROJECT, sets, unsets)
        lines = [*(f"set {render_key(key)}" for key, _ in sets), *(f"unset {render_key(key)}" for key in unsets)]
        body = tuple(sorted(map(fold, lines))) if len(lines) > MAX_NAMED else ()
        return Draft(self.summary(), changed(tree, {PROJECT: data}), body)

    def _keys(self, checks: Checks) -> Iterator[tuple[tuple[str, ...], Key]]:
        """Every key that can be, and where it stands in the input; what is wrong with the others is kept."""
        values, unset = enumerate(self.values[:MAX_KEYS]), enumerate(self.unset[:MAX_KEYS])
        places: list[tuple[tuple[str, ...], str]] = [
            (("values", str(index), "key"), each.key) for index, each in values
        ]
        for path, text in (*places, *((("unset", str(index)), text) for index, text in unset)):
            checks.parse(parse_key, text, *path)
            key = _key(text)
            whole = path[0] == "unset" and key in _TABLES
            fault = None if whole or not key else key_fault(key)
            checks.require(fault is None, f"{render_key(key)} {fault}", *path)
            if key and not fault:
                yield path, key


def _key(text: str) -> Key:
    """The key; empty when it is none."""
    try:
        return parse_key(text)
    except Refused:
        return ()
