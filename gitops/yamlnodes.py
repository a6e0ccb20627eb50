"""YAML text → nodes that know where they stand in it; values mean what Helm makes of them (Go's yaml.v2, then JSON).

Refuses, with line and column, what cannot be edited or read safely: several documents, anchors and aliases, merge
keys, foreign tags, duplicate or complex keys, too large, too deep.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from gitops.problems import InvalidRepository, Refused

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 40


class Scalar(NamedTuple):
    """A value without parts; `style` is YAML's: None (plain), ', ", | or >. Offsets count characters."""

    start: int
    end: int
    value: object
    style: str | None


class Entry(NamedTuple):
    """One key of a mapping; the offset and column of the key, and its value's node."""

    start: int
    end: int
    column: int
    node: "Node"


class Map(NamedTuple):
    """A mapping."""

    start: int
    end: int
    flow: bool
    entries: Mapping[str, Entry]


class Seq(NamedTuple):
    """A list."""

    start: int
    end: int
    flow: bool
    items: "Sequence[Node]"


Node = Scalar | Map | Seq


def compose(text: str, path: str) -> Node | None:
    """The one document's node; None when there is no document. Raises Refused(InvalidRepository)."""
    composer = _Composer(text, path)
    try:
        return composer.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise broken(path, str(error.problem or error.context), *where) from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode("utf-8", "ignore")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise broken(path, str(error).split("\n", 1)[0], line, column) from None
    except yaml.YAMLError as error:
        raise broken(path, str(error).split("\n", 1)[0]) from None
    finally:
        composer.loader.dispose()


def broken(path: str, message: str, line: int | None = None, column: int | None = None) -> Refused:
    """InvalidRepository about a file; the message names the place."""
    place = f"{path}:{line}:{column}" if line else path
    return Refused(InvalidRepository(f"{place}: {message}", path, line, column))


def plain(node: Node | None) -> object:
    """The node's value as new, plain dictionaries and lists."""
    match node:
        case Map():
            return {key: plain(entry.node) for key, entry in node.entries.items()}
        case Seq():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value
        case None:
            return None


def same(left: object, right: object) -> bool:
    """Whether two values are equal for Helm: 1, 1.0, true and "1" all differ in the text they stand for."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def span(event: Event) -> tuple[int, int]:
    """The characters of an event; the C parser counts them in code points, after the byte order mark."""
    start, end = event.start_mark, event.end_mark
    return (start.index, end.index) if start and end else (0, 0)


class _Composer:
    """Reads events; nothing of it outlives one call of compose."""

    def __init__(self, text: str, path: str) -> None:
        self.loader = yaml.CSafeLoader(text)
        self.path = path

    def next(self) -> Event:
        """The next event."""
        event = self.loader.get_event()
        if event is None:
            self.fail("the document ends early", None)
        return event

    def fail(self, message: str, event: Event | None) -> NoReturn:
        """Refuse the file at this event."""
        mark = event.start_mark if event else None
        raise broken(self.path, message, *((mark.line + 1, mark.column + 1) if mark else (None, None)))

    def document(self) -> Node | None:
        """The node of the only document."""
        self.next()
        event = self.next()
        if isinstance(event, StreamEndEvent):
            return None
        node = self.node(self.next(), 0)
        self.next()
        event = self.next()
        if isinstance(event, DocumentStartEvent):
            self.fail("a second YAML document begins here; one file holds one document", event)
        return node

    def node(self, event: Event, depth: int) -> Node:
        """The node that begins with this event."""
        if isinstance(event, ScalarEvent):
            return self.scalar(event)
        if depth >= MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels", event)
        if isinstance(event, MappingStartEvent):
            return self.mapping(event, depth + 1)
        if isinstance(event, SequenceStartEvent):
            return self.sequence(event, depth + 1)
        return self.fail("aliases are not supported; write the value out", event)

    def scalar(self, event: ScalarEvent) -> Scalar:
        """A scalar with the value that Helm reads."""
        if event.anchor is not None:
            self.fail("anchors are not supported; write the value out", event)
        tag, value = event.tag, event.value
        meaning: object = value
        if tag is None or tag == "!":
            if event.implicit[0]:
                meaning = resolve(value)
        else:
            meaning = self.tagged(event, tag, value)
        return Scalar(*span(event), meaning, event.style or None)

    def tagged(self, event: ScalarEvent, tag: str, value: str) -> object:
        """A scalar with a core tag, if its text has that type."""
        if tag == "tag:yaml.org,2002:str":
            return value
        meaning = resolve(value)
        if not isinstance(meaning, _TYPES.get(tag, ())):
            self.fail(f"the tag {tag} is not supported here", event)
        return meaning

    def collection(self, event: MappingStartEvent | SequenceStartEvent, tag: str) -> None:
        """Refuse what a collection must not carry."""
        if event.anchor is not None:
            self.fail("anchors are not supported; write the value out", event)
        if event.tag not in (None, "!", tag):
            self.fail(f"the tag {event.tag} is not supported", event)

    def mapping(self, start: MappingStartEvent, depth: int) -> Map:
        """A mapping; keys are texts as Helm makes them."""
        self.collection(start, "tag:yaml.org,2002:map")
        entries: dict[str, Entry] = {}
        while not isinstance(event := self.next(), MappingEndEvent):
            key = self.key(event)
            if key in entries:
                self.fail(f"duplicate key {key!r}", event)
            column = event.start_mark.column if event.start_mark else 0
            entries[key] = Entry(*span(event), column, self.node(self.next(), depth))
        return Map(span(start)[0], span(event)[1], bool(start.flow_style), entries)

    def key(self, event: Event) -> str:
        """A key's text: booleans and numbers become text as in JSON."""
        if not isinstance(event, ScalarEvent):
            self.fail("aliases are not supported" if isinstance(event, AliasEvent) else "a key must be text", event)
        key = self.scalar(event).value
        if isinstance(key, str):
            if key == "<<" and event.implicit[0]:
                self.fail("merge keys are not supported; write the values out", event)
            return key
        if key is None:
            self.fail("a key must be text", event)
        return str(key).lower() if isinstance(key, bool) else str(key)

    def sequence(self, start: SequenceStartEvent, depth: int) -> Seq:
        """A list."""
        self.collection(start, "tag:yaml.org,2002:seq")
        items = []
        while not isinstance(event := self.next(), SequenceEndEvent):
            items.append(self.node(event, depth))
        return Seq(span(start)[0], span(event)[1], bool(start.flow_style), items)


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:null": (type(None),),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
}
_WORDS: Final[Mapping[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)", re.ASCII)
_NUMERIC_START = frozenset("+-.0123456789")
_BASES: Final[Mapping[str, int]] = {"x": 16, "b": 2, "o": 8}
_LONGEST_INT = 1000
"""Digits that are read as one number; Python refuses some thousands."""
_MAX_UINT64 = 2**64 - 1
_MIN_INT64 = -(2**63)


@lru_cache(maxsize=4096)
def resolve(text: str) -> object:
    """The value of a plain scalar in Go's yaml.v2, which Helm uses: `no` is False, 0x1F is 31, a date stays text."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text.replace("_", ""), text) if text[0] in _NUMERIC_START else text


def _number(digits: str, text: str) -> object:
    if _INT.fullmatch(digits) and len(digits) <= _LONGEST_INT:
        number = _integer(digits)
        if _MIN_INT64 <= number <= _MAX_UINT64:
            return number
    if _FLOAT.fullmatch(digits) and text[0] != "_":
        number_ = float(digits)
        return text if number_ in (float("inf"), float("-inf")) else number_
    return text


def _integer(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    bare = digits.lstrip("+-").lower()
    if len(bare) > 1 and bare[0] == "0":
        base = _BASES.get(bare[1], 8)
        return sign * int(bare[2:] if bare[1] in _BASES else bare[1:], base)
    return sign * int(bare)
