"""Values → YAML text, one way for each: every string in double quotes, so that no tag is ever read as a number."""

import json
import math
import re
from typing import Final

from gitops.yamlnodes import resolve

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*", re.ASCII)
_HIDDEN: Final = re.compile(
    "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff\u200b-\u200f\u202a-\u202e\u2060-\u2069]"
)
_STEP: Final = "  "
_WIDTH: Final = 100


def quote(text: str) -> str:
    """A double-quoted scalar on one line; JSON's escapes are YAML's."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def key_text(key: str) -> str:
    """A mapping's key, quoted unless it can only be read as this text."""
    return key if _PLAIN_KEY.fullmatch(key) and resolve(key) == key else quote(key)


def flow(value: object) -> str:
    """A value on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key_text(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            return quote(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            raise ValueError("a number that is not finite has no place in YAML for Helm")
        case int() | float():
            return repr(value)
    raise TypeError(f"{type(value).__name__} has no place in values")


def block_entry(key: str, value: object, indent: str) -> list[str]:
    """The lines of `key: value` at an indentation, without line ends."""
    head = f"{indent}{key_text(key)}:"
    nested = block_value(value, indent)
    return [f"{head} {flow(value)}"] if nested is None else [head, *nested]


def block_value(value: object, indent: str) -> list[str] | None:
    """The lines below a key at `indent`; None when the value stands on the key's own line."""
    if isinstance(value, dict) and value:
        return [line for key, inner in value.items() for line in block_entry(key, inner, indent + _STEP)]
    if isinstance(value, (list, tuple)) and not _fits(value):
        return [line for item in value for line in _item(item, indent + _STEP)]
    return None


def _fits(items: "list[object] | tuple[object, ...]") -> bool:
    return not any(isinstance(item, (dict, list, tuple)) and item for item in items) and len(flow(items)) <= _WIDTH


def _item(item: object, indent: str) -> list[str]:
    nested = block_value(item, indent)
    if nested is None:
        return [f"{indent}- {flow(item)}"]
    return [f"{indent}- {nested[0][len(indent) + len(_STEP) :]}", *nested[1:]]
