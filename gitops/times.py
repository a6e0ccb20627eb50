"""Moments as text: RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Final

MIN_TTL_SECONDS: Final = 1
MAX_TTL_SECONDS: Final = 366 * 24 * 3600
"""How long an ephemeral environment may last."""


def rfc3339(moment: datetime) -> str:
    """2026-12-01T00:00:00Z: as files and subjects carry it, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact(moment: datetime) -> str:
    """As rfc3339, with fractions of a second when there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The moment, aware, UTC; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} lies outside the years 1 to 9999 in UTC") from error
