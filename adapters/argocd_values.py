"""What stands in Argo CD's JSON, looked at before it is believed: what is no table is empty, unknown words are UNKNOWN.

Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

Word = TypeVar("Word", bound=StrEnum)
Table = Mapping[str, Any]


def table(value: object, *path: str) -> Table:
    """The table that lies under these keys."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def entries(value: object, key: str) -> Sequence[Any]:
    """The list under a key."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else ()


def text(value: object) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def is_object(value: object) -> bool:
    """Whether this is an Application or an AppProject, and not what a proxy says."""
    return text(table(value, "metadata").get("name")) is not None and isinstance(table(value).get("spec"), Mapping)


def is_list(value: object) -> bool:
    """Whether this is a list of such; `items` of an empty one are null."""
    told = text(table(value, "metadata").get("resourceVersion")) is not None
    return told and isinstance(table(value).get("items"), list | None)


def moment(value: object) -> datetime | None:
    """A time as RFC 3339 writes it."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def word(kind: type[Word], value: object, otherwise: Word) -> Word:
    """Argo CD's word as ours; a word that is new to us is not `otherwise` but UNKNOWN."""
    if value is None or value == "":
        return otherwise
    given = value.upper() if isinstance(value, str) else ""
    return next((one for one in kind if one.value == given), kind("UNKNOWN"))
