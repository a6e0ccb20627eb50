"""What the real Argo CD 3.6 answered, byte for byte, and readings of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.argocd_parse import Change, Found, parse_frame
from adapters.event_stream import EventStream

FOLDER = Path(__file__).parents[1] / "recordings" / "argocd"
LIMIT_BYTES = 8 * 1024 * 1024
OBSERVED_AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def raw(name: str) -> bytes:
    """A recorded file."""
    return (FOLDER / name).read_bytes()


def loaded(name: str) -> Any:
    """A recorded JSON reply."""
    return json.loads(raw(name))


def frames(stream: bytes) -> list[tuple[Change, Found]]:
    """Every change that a stream of applications tells, in its order."""
    events = EventStream(LIMIT_BYTES).feed(stream)
    return [frame for event in events if (frame := parse_frame(event, OBSERVED_AT)) is not None]
