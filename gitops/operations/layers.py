"""The two layers that settings are written to: base/, for all environments, and one environment's own file."""

from collections.abc import Sequence

from gitops.layout import BASE_VALUES, ENVIRONMENTS, environment_folder, environment_values
from gitops.operations.checks import base_services, changed, need_services, open_base, open_environment, open_project
from gitops.operations.precedence import Edits, edit_environment, edit_environments, touches_services
from gitops.tree import Tree, Writes
from gitops.values import Key
from gitops.yamltext import edit, parse


def write_layer(tree: Tree, project: str, environment: str | None, services: Sequence[str], edits: Edits) -> Writes:
    """The writes that set and unset keys in an environment's file, or in base. Raises Refused for unknown names."""
    open_project(tree, project)
    base = open_base(tree)
    if environment:
        path, data = environment_values(environment), open_environment(tree, environment)
        need_services(base_services(tree), services)
        return changed(tree, {path: edit_environment(data, path, parse(base, BASE_VALUES).data, edits)})
    need_services(base_services(tree), services)
    edited = edit(base, BASE_VALUES, *edits)
    return changed(tree, {BASE_VALUES: edited, **edit_environments(tree, edited, edits)})


def layer_paths(environment: str | None, keys: Sequence[Key]) -> tuple[str, ...]:
    """What is read or written there when these keys are."""
    if environment:
        return (environment_folder(environment), BASE_VALUES)
    return (BASE_VALUES, ENVIRONMENTS) if touches_services(keys) else (BASE_VALUES,)


def field_of(index: int, sets: int, inside: str) -> tuple[str, ...]:
    """Where the name with this index stands in an input that has a list `set` of `sets` elements, then one `unset`."""
    return ("set", str(index), inside) if index < sets else ("unset", str(index - sets))
