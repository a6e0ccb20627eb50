"""The two layers that settings are written to: base/, for all environments, and one environment's own file."""

from collections.abc import Sequence

from gitops.changes import Ref
from gitops.layout import BASE_VALUES, environment_folder, environment_values
from gitops.operations.checks import base_services, changed, need_services, open_base, open_environment, open_project
from gitops.tree import Tree, Writes
from gitops.values import Key
from gitops.yamltext import edit

Edits = tuple[list[tuple[Key, object]], list[Key]]


def write_layer(tree: Tree, project: str, environment: str | None, services: Sequence[str], edits: Edits) -> Writes:
    """The writes that set and unset keys in an environment's file, or in base. Raises Refused for unknown names."""
    open_project(tree, project)
    path = environment_values(environment) if environment else BASE_VALUES
    data = open_environment(tree, environment) if environment else open_base(tree)
    if services:
        need_services(base_services(tree), services)
    return changed(tree, {path: edit(data, path, *edits)})


def layer_needs(environment: str | None, services: Sequence[str]) -> tuple[Ref, ...]:
    """What must exist to write there."""
    place = (Ref("environment", environment),) if environment else ()
    return (*place, *(Ref("service", name) for name in services))


def layer_paths(environment: str | None) -> tuple[str, ...]:
    """What is read or written there."""
    return (environment_folder(environment), BASE_VALUES) if environment else (BASE_VALUES,)


def field_of(index: int, sets: int, inside: str) -> tuple[str, ...]:
    """Where the name with this index stands in an input that has a list `set` of `sets` elements, then one `unset`."""
    return ("set", str(index), inside) if index < sets else ("unset", str(index - sets))
