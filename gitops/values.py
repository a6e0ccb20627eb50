"""Helm values as data: merged as Helm does, addressed by keys, compared key by key."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gitops.names import refuse, shown
from gitops.yamlnodes import same

Key = tuple[str, ...]
Values = Mapping[str, object]

_BARE: Final = re.compile(r"[^\s.,\"\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SEGMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+', re.DOTALL)
MAX_KEY: Final = 512
MAX_SEGMENTS: Final = 20


class ChangeKind(StrEnum):
    """What became of a key; null is a legal value, so before and after alone cannot tell."""

    ADDED = "ADDED"
    CHANGED = "CHANGED"
    REMOVED = "REMOVED"


@dataclass(frozen=True)
class ValueChange:
    """One key that differs."""

    key: Key
    kind: ChangeKind
    before: object
    after: object


def merge(base: Values, override: Values) -> dict[str, object]:
    """The values that result when `override` lies over `base` as in Helm: maps merge, all else replaces, null deletes.

    Helm's CoalesceTables: https://github.com/helm/helm/blob/main/pkg/chart/common/util/coalesce.go
    """
    merged = {**base}
    for key, value in override.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def get(data: object, key: Key) -> object:
    """The value at a key; None when there is none."""
    for segment in key:
        if not isinstance(data, Mapping):
            return None
        data = data.get(segment)
    return data


def table(data: object, key: Key) -> Values:
    """The mapping at a key; empty when there is none, or something else."""
    value = get(data, key)
    return value if isinstance(value, Mapping) else {}


def parse_key(text: str) -> Key:
    """A key's segments, joined by dots; one that holds a dot is a JSON string. Raises Refused(InvalidInput)."""
    if len(text) > MAX_KEY:
        raise refuse(f"a key has at most {MAX_KEY} characters")
    segments: list[str] = []
    at = 0
    while True:
        match = _SEGMENT.match(text, at)
        if not match:
            raise _malformed(text)
        segments.append(_segment(match[0], text))
        at = match.end()
        if len(segments) > MAX_SEGMENTS:
            raise refuse(f"a key has at most {MAX_SEGMENTS} segments")
        if at == len(text):
            return tuple(segments)
        if text[at] != ".":
            raise _malformed(text)
        at += 1


def render_key(key: Key) -> str:
    """The text that parse_key reads; segments with spaces, commas or quotes are quoted too: keys stand in lists."""
    return ".".join(
        segment if _BARE.fullmatch(segment) else json.dumps(segment, ensure_ascii=not segment.isprintable())
        for segment in key
    )


def changes(before: Values, after: Values) -> tuple[ValueChange, ...]:
    """What differs, leaf by leaf, in the order of keys; lists count as one value."""
    return tuple(_changes((), before, after))


def _changes(at: Key, before: Values, after: Values) -> Iterator[ValueChange]:
    for key in sorted({*before, *after}):
        here = (*at, key)
        if key not in before:
            yield from _leaves(here, after[key], ChangeKind.ADDED)
        elif key not in after:
            yield from _leaves(here, before[key], ChangeKind.REMOVED)
        else:
            yield from _change(here, before[key], after[key])


def _change(at: Key, old: object, new: object) -> Iterator[ValueChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _changes(at, old, new)
    elif not same(old, new):
        yield ValueChange(at, ChangeKind.CHANGED, old, new)


def _leaves(at: Key, value: object, kind: ChangeKind) -> Iterator[ValueChange]:
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _leaves((*at, key), value[key], kind)
    elif kind is ChangeKind.ADDED:
        yield ValueChange(at, kind, None, value)
    else:
        yield ValueChange(at, kind, value, None)


def _segment(text: str, whole: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise _malformed(whole) from None


def _malformed(text: str) -> Exception:
    return refuse(
        f"{shown(text)} is no key: segments joined by dots; a segment that holds a dot stands in double quotes"
    )
