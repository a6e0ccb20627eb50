"""Nulls that keep the order of variables: what an environment shares wins over what base says of one service.

Helm merges shared variables and a service's own apart, and the chart lets a service's own win. A null in the
environment takes base's value of the service away, so that the shared one counts. Only variables that an edit touches
are looked at; what a person wrote elsewhere stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from gitops.layout import BASE_VALUES, environment_values
from gitops.problems import Refused
from gitops.repository import SERVICES, VARIABLES, environment_names
from gitops.tree import Tree, Writes
from gitops.values import Key, Values, get, table
from gitops.yamltext import edit, parse

Edits = tuple[list[tuple[Key, object]], list[Key]]
"""Keys to set with their values, and keys to unset."""
_OWN = len((*SERVICES, "service", "variables", "NAME"))


def edit_environment(data: bytes, path: str, base: Values, edits: Edits) -> bytes:
    """An environment's file with keys set and unset, and with the nulls that this asks for."""
    edited = edit(data, path, *edits)
    touched = _touched(_keys(edits))
    if not touched:
        return edited
    before, after = _Layers(base, parse(data, path).data), _Layers(base, parse(edited, path).data)
    nulls = _nulls(touched, before, after)
    if nulls[0]:
        edited = edit(data, path, *_joined(edits, nulls[0]))
    return _without(edited, path, nulls[1])


def edit_environments(tree: Tree, base: bytes, edits: Edits) -> Writes:
    """The environments' files as edits of base/ leave them, `base` being its new bytes; broken ones are passed over."""
    touched = frozenset(key for key in _touched(_keys(edits)) if key[:2] == SERVICES)
    if not touched:
        return {}
    older, newer = parse(tree.read(BASE_VALUES) or b"", BASE_VALUES).data, parse(base, BASE_VALUES).data
    writes = {}
    for path in map(environment_values, environment_names(tree)):
        data = tree.read(path)
        own = None if data is None else _readable(data, path)
        if data is not None and own is not None:
            sets, unsets = _nulls(touched, _Layers(older, own), _Layers(newer, own))
            writes[path] = _without(edit(data, path, sets) if sets else data, path, unsets)
    return writes


def touches_services(keys: Sequence[Key]) -> bool:
    """Whether edits of these keys in base can change the files of environments."""
    return any(key[:2] == SERVICES for key in _touched(keys))


def without_nulls(base: Values, own: Mapping[str, object]) -> dict[str, object]:
    """An environment's values but for the nulls that stand for what it shares: another one may not share it."""
    layers, kept = _Layers(base, own), deepcopy(dict(own))
    for service, name in _own_variables(own, own):
        own_service = get(kept, (*SERVICES, service))
        if isinstance(own_service, dict) and layers.null(service, name) and layers.clash(service, name):
            del own_service["variables"][name]
            if not own_service["variables"]:
                del own_service["variables"]
    return kept


@dataclass(frozen=True)
class _Layers:
    """base/values.yaml and an environment's file."""

    base: Values
    own: Values

    def clash(self, service: str, name: str) -> bool:
        """Whether the environment shares a variable that base sets for the service."""
        return get(self.own, (*VARIABLES, name)) is not None and get(self.base, _key(service, name)) is not None

    def null(self, service: str, name: str) -> bool:
        """Whether the environment takes a service's variable away."""
        return table(self.own, _key(service)).get(name, ...) is None

    def shows_through(self, key: Key) -> bool:
        """Whether base's value at a key is the effective one."""
        own: object = self.own
        for segment in key:
            if not isinstance(own, Mapping):
                return False
            if segment not in own:
                return True
            own = own[segment]
        return False


def _nulls(touched: frozenset[Key], before: _Layers, after: _Layers) -> Edits:
    sets: list[tuple[Key, object]] = []
    unsets: list[Key] = []
    for service, name in _own_variables(before.base, after.base):
        key = _key(service, name)
        if not any(place[:end] in touched for place in ((*VARIABLES, name), key) for end in (len(place) - 1, None)):
            continue
        if after.clash(service, name):
            if after.shows_through(key):
                sets.append((key, None))
        elif before.clash(service, name) and before.null(service, name) and after.null(service, name):
            unsets.append(key)
    return sets, unsets


def _own_variables(before: Values, after: Values) -> Iterator[tuple[str, str]]:
    names = {
        (service, name)
        for base in (before, after)
        for service in table(base, SERVICES)
        for name in table(base, _key(service))
    }
    yield from sorted(names)


def _keys(edits: Edits) -> list[Key]:
    return [*(key for key, _ in edits[0]), *edits[1]]


def _touched(keys: Sequence[Key]) -> frozenset[Key]:
    """The variables, or whole tables of them, that edits of these keys concern."""
    shared = {key[: len(VARIABLES) + 1] for key in keys if key[: len(VARIABLES)] == VARIABLES}
    own = {key[:_OWN] for key in keys if key[:2] == SERVICES and key[3:4] == ("variables",)}
    return frozenset(shared | own)


def _joined(edits: Edits, nulls: list[tuple[Key, object]]) -> Edits:
    """Both in one, so that a null takes the very place of a value that goes."""
    sets = [(key, deepcopy(value)) for key, value in edits[0]]
    places = {key for key, _ in nulls}
    emptied = {key for key in edits[1] if any(place[: len(key)] == key for place in places)}
    sets.extend((key, {}) for key in emptied - places)
    unsets = [key for key in edits[1] if key not in emptied]
    return [*sets, *nulls], unsets


def _without(data: bytes, path: str, keys: list[Key]) -> bytes:
    # One by one: several that go from one `{…}` would have it written anew.
    for key in keys:
        data = edit(data, path, unset=[key])
    return data


def _readable(data: bytes, path: str) -> Values | None:
    try:
        return parse(data, path).data
    except Refused:
        return None


def _key(service: str, *name: str) -> Key:
    return (*SERVICES, service, "variables", *name)
