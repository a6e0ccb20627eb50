"""The two scalars of the contract: moments in RFC 3339 and free-form Helm values."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from gitops.times import exact

JSON = NewType("JSON", object)
"""A Helm value: whatever JSON can say."""


def parse_moment(text: object) -> datetime:
    """Read RFC 3339 with an offset; raises GraphQLError for anything else, also for a time without an offset."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) and "T" in text.upper() else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise GraphQLError(f"{text!r} is no moment: write RFC 3339 with an offset, as 2026-11-23T04:47:00Z.")


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339, UTC on the way out.",
        serialize=exact,
        parse_value=parse_moment,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Free-form Helm values; whatever has a known shape has a type.",
        serialize=_plain,
        parse_value=lambda value: value,
    ),
}
