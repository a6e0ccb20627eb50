"""Moments as files and subjects carry them: RFC 3339, UTC, whole seconds."""

from datetime import UTC, datetime
from typing import Final

MIN_TTL_SECONDS: Final = 60
MAX_TTL_SECONDS: Final = 366 * 24 * 3600
"""How long an ephemeral environment may last."""


def rfc3339(moment: datetime) -> str:
    """2026-12-01T00:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment, aware, UTC; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} lies outside the years 1 to 9999 in UTC") from error
