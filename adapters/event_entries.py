"""An entry of the event log as data, and cursors as text: pure, so that the log's readers, sync and async, share it."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from adapters import codec, job_fields
from adapters.records import Event, EventKind, RolloutRecord
from gitops.problems import invalid
from gitops.rollouts import Observation

STREAM = "lucity:events"
_CURSORS_KEPT = 256
_CURSOR = re.compile(r"([0-9a-f]{1,32})\.(0|[1-9][0-9]{0,14})")


@lru_cache(_CURSORS_KEPT)  # every subscriber asks for the same one
def parse_cursor(cursor: str) -> tuple[str, int]:
    """Epoch and sequence. Raises Refused(InvalidInput)."""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise invalid("after", f"{cursor!r} is no cursor: use one that an earlier answer carried, or none")
    return match[1], int(match[2])


def sequence(cursor: str) -> int:
    """What makes two cursors of one epoch comparable. Raises Refused(InvalidInput)."""
    return parse_cursor(cursor)[1]


def render_commit(sha: str, environments: Sequence[str]) -> str:
    """The data of a COMMIT event."""
    return json.dumps([sha, list(environments)])


def parse_flat(entry_id: str, flat: Sequence[str]) -> Event:
    """As `parse_entry`, from fields and values in turn, as scripts answer them."""
    return parse_entry(entry_id, dict(zip(flat[::2], flat[1::2], strict=True)))


def parse_entry(entry_id: str, fields: Mapping[str, str]) -> Event:
    """One entry of the stream."""
    kind, data = EventKind(fields["kind"]), fields["data"]
    commit, environments = json.loads(data) if kind is EventKind.COMMIT else (None, ())
    return Event(
        cursor=f"{fields['epoch']}.{entry_id.partition('-')[0]}",
        at=datetime.fromtimestamp(int(fields["at"]) / 1000, UTC),
        kind=kind,
        project=fields["project"],
        environment=fields["environment"] or None,
        head=fields["head"] or None,
        job=job_fields.parse_flat(json.loads(data)) if kind is EventKind.JOB else None,
        commit=commit,
        environments=tuple(environments),
        status=codec.loads(Observation, data) if kind is EventKind.STATUS else None,
        rollout=codec.loads(RolloutRecord, data) if kind is EventKind.ROLLOUT else None,
        token_id=data if kind is EventKind.TOKEN_REVOKED else None,
    )
