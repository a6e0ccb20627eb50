"""Taking back what a change did to one file, key by key, on the file as it stands now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from gitops.history import is_structured
from gitops.problems import Refused
from gitops.values import ChangeKind, Key, ValueChange, Values, changes
from gitops.yamlnodes import same
from gitops.yamltext import parse

WHOLE: Final[Key] = ()
"""Stands for a file as a whole where its keys cannot be told."""


class _Nothing(Enum):
    """No such key: null is a value."""

    HERE = "HERE"


@dataclass(frozen=True)
class Undoing:
    """What to set and to unset, or the file's bytes as a whole; nothing of it counts when there are clashes."""

    data: bytes | None
    """The file as it was before the change, or as it stands when keys are to be edited in it."""
    sets: tuple[tuple[Key, object], ...] = ()
    unsets: tuple[Key, ...] = ()
    clashes: tuple[Key, ...] = field(default=())
    """What was changed since."""


def undo(path: str, before: bytes | None, after: bytes | None, now: bytes | None) -> Undoing:
    """What takes back, from the file as it is now, the change from `before` to `after`. None: no file."""
    if now in (before, after):
        return Undoing(before)
    if _say_the_same(path, before, now):
        return Undoing(now)
    if after is None or now is None or not is_structured(path):
        return Undoing(now, clashes=(WHOLE,))
    try:
        values = [parse(data or b"", path).data for data in (before, after, now)]
    except Refused:
        return Undoing(now, clashes=(WHOLE,))
    if before is None:
        keys = tuple(change.key for change in changes(values[1], values[2]))
        return Undoing(now if keys else None, clashes=keys)
    return _Undo(*values).all(now)


def _say_the_same(path: str, one: bytes | None, other: bytes | None) -> bool:
    """Whether two versions of a file of ours hold the same values, however they are written."""
    if one is None or other is None or not is_structured(path):
        return False
    try:
        return same(*(parse(data, path).data for data in (one, other)))
    except Refused:
        return False


def state(data: object, key: Key) -> object:
    """What stands at a key, to be compared with `alike`; a null is something, a missing key is not."""
    for segment in key:
        if not isinstance(data, Mapping) or segment not in data:
            return _Nothing.HERE
        data = data[segment]
    return data


def alike(one: object, other: object) -> bool:
    """Whether two states are the same."""
    if _Nothing.HERE in (one, other):
        return one is other
    return same(one, other)


@dataclass(frozen=True)
class _Undo:
    before: Values
    after: Values
    now: Values

    def all(self, data: bytes) -> Undoing:
        sets: list[tuple[Key, object]] = []
        unsets: list[Key] = []
        clashes: list[Key] = []
        for change in changes(self.before, self.after):
            stands = state(self.now, change.key)
            if alike(stands, state(self.before, change.key)):
                continue
            if not alike(stands, state(self.after, change.key)) or self._blocked(change):
                clashes.append(change.key)
            elif change.kind is ChangeKind.ADDED:
                unsets.extend(self._added(change.key))
            else:
                sets.extend(self._lost(change))
        return Undoing(data, tuple(sets), tuple(dict.fromkeys(unsets)), tuple(clashes))

    def _blocked(self, change: ValueChange) -> bool:
        """Whether something stands where a mapping must be for a key that was removed to come back."""
        parents = (state(self.now, change.key[:depth]) for depth in range(1, len(change.key)))
        return not all(parent is _Nothing.HERE or isinstance(parent, Mapping) for parent in parents)

    def _added(self, key: Key) -> Iterator[Key]:
        """The key, and the outermost parent that came with it, if nothing was put into that since."""
        yield key
        top = _outermost(self.before, key)
        if alike(state(self.now, top), state(self.after, top)):
            yield top

    def _lost(self, change: ValueChange) -> Iterator[tuple[Key, object]]:
        """The key, and first the outermost parent that went with it, if there is none again."""
        top = _outermost(self.after, change.key)
        if change.kind is ChangeKind.REMOVED and state(self.now, top) is _Nothing.HERE:
            yield top, state(self.before, top)
        yield change.key, change.before


def _outermost(data: Values, key: Key) -> Key:
    """The shortest beginning of a key that is not in the data; the key itself when all of it is."""
    return next((key[:end] for end in range(1, len(key)) if state(data, key[:end]) is _Nothing.HERE), key)
