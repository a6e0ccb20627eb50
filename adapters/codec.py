"""Data to JSON text and back: frozen dataclasses, enums, tuples, UTC times, problems. Nothing is read or written here.

The same value always gives the same text. Keys of free JSON values keep the order in which they came. A union of
dataclasses carries its member's class name as `_type`; fields that this version does not know are passed over.
"""

import json
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

from cattrs import Converter

from gitops.changes import Change
from gitops.problems import Problem

T = TypeVar("T")
TAG = "_type"


def dumps(value: object) -> str:
    """Compact JSON of a dataclass, list, tuple or plain value."""
    return _text(_converter().unstructure(value))


def loads(kind: type[T], text: str | bytes) -> T:
    """The value that `dumps` made the text from. Raises ValueError when it is no such value."""
    return structure(kind, json.loads(text))


def structure(kind: type[T], plain: object) -> T:
    """As `loads`, from JSON that is parsed already."""
    try:
        return _converter().structure(plain, kind)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this is no {getattr(kind, '__name__', kind)}: {error!r}") from error


def dump_problem(problem: Problem) -> str:
    """A problem as JSON that names its class."""
    return _text(_converter().unstructure(problem, unstructure_as=Problem))


def load_problem(text: str) -> Problem:
    """The problem that `dump_problem` made the text from."""
    return structure(cast("type[Problem]", Problem), json.loads(text))


def dump_change(change: Change) -> str:
    """A change as JSON that names its class."""
    return _text({TAG: type(change).__name__, **_converter().unstructure(change)})


def load_change(text: str) -> Change:
    """The change that `dump_change` made the text from. Raises ValueError for an unknown class."""
    from gitops.operations import CHANGES  # noqa: PLC0415 - the registry imports every operation

    plain = json.loads(text)
    kind = CHANGES.get(plain.get(TAG))
    if kind is None:
        raise ValueError(f"{plain.get(TAG)!r} is no change that this version knows: a newer Lucity admitted it")
    return structure(kind, plain)


def _text(plain: object) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(datetime, _render_time)
    converter.register_structure_hook(datetime, lambda text, _: _parse_time(text))
    converter.register_structure_hook_factory(_is_tagged_union, lambda union: _structure_tagged(converter, union))
    converter.register_unstructure_hook_factory(_is_tagged_union, lambda _: _unstructure_tagged(converter))
    converter.register_structure_hook_func(_is_free, lambda value, _: value)
    converter.register_unstructure_hook_func(_is_free, lambda value: value)
    return converter


def _render_time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _members(kind: object) -> tuple[Any, ...]:
    if get_origin(kind) not in {Union, UnionType}:
        return ()
    return tuple(member for member in get_args(kind) if member is not NoneType)


def _is_tagged_union(kind: object) -> bool:
    members = _members(kind)
    return len(members) > 1 and all(is_dataclass(member) for member in members)


def _is_free(kind: object) -> bool:
    """JSON of any shape: `object`, or a union in which no member needs a hook of its own."""
    members = _members(kind)
    return kind is object or (len(members) > 1 and not _is_tagged_union(kind))


def _structure_tagged(converter: Converter, union: object) -> Callable[[dict[str, Any] | None, object], object]:
    kinds = {member.__name__: member for member in _members(union)}

    def read(plain: dict[str, Any] | None, _: object) -> object:
        return None if plain is None else converter.structure(plain, kinds[plain[TAG]])

    return read


def _unstructure_tagged(converter: Converter) -> Callable[[object], dict[str, Any] | None]:
    def write(value: object) -> dict[str, Any] | None:
        return None if value is None else {TAG: type(value).__name__, **converter.unstructure(value)}

    return write
