"""What a client wrote: absent, null or a value, and as plain data."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from strawberry.types.unset import UnsetType

T = TypeVar("T")


def or_none(value: T | None) -> T | None:
    """The value; None when it is absent or null."""
    return None if isinstance(value, UnsetType) else value


def parsed(parser: Callable[[str], str], value: str | None) -> str | None:
    """A name; None when it is absent or null. Raises Refused(InvalidInput) for a malformed one."""
    text = or_none(value)
    return None if text is None else parser(text)


def plain(value: object) -> Any:
    """An input as plain data, without what is absent: names as in Python, for fingerprints."""
    if is_dataclass(value) and not isinstance(value, type):
        items = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: plain(item) for name, item in items.items() if not isinstance(item, UnsetType)}
    return [plain(item) for item in value] if isinstance(value, list) else value
