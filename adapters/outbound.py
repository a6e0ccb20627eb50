"""Deliveries to the outside in Redis: due at a time, tried until they are taken, and listed by endpoint.

Webhook messages are queued once each. A message that is `renewed` stands for the present state of something: what is
told of it again makes the same delivery due again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from redis import Redis

from adapters.job_fields import moment
from adapters.redis_client import Scripts, reached
from adapters.settings import Settings

_KEPT: Final = 1000
"""Deliveries kept for an endpoint; of more, the oldest go."""
_POSITION: Final = "lucity:outbound:position"
_MANY: Final = 1000
FORGE_TARGET: Final = "forge:"
"""What the endpoint of a report begins with that goes to a project's forge; the project follows."""


class DeliveryState(StrEnum):
    """PENDING → DELIVERED | FAILED (given up after a day)."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Message:
    """What is to be sent to one endpoint. The same id is queued once, unless it is renewed."""

    id: str
    endpoint: str
    type: str
    body: str
    renewed_seconds: float | None = None
    """The same id again: due anew after so many seconds, with this body; None: it was queued already."""


@dataclass(frozen=True)
class Delivery:
    """A message and what came of it so far. `status`: of the last answer, None when there was none."""

    message: Message
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_at: datetime | None = None
    finished_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    version: int = 1
    """How often it was renewed, and the first."""
    told: str = ""
    """What settle was told last time."""


class RedisOutbound:
    """Raises Unreachable('redis')."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._scripts = Scripts(client, settings)

    def position(self) -> str | None:
        """The cursor of the event log up to which messages are queued."""
        with reached():
            found: str | None = self._client.get(_POSITION)  # type: ignore[assignment]
        return found

    def queue(self, position: str, messages: Sequence[Message]) -> None:
        """Queue messages and move the position, in one step."""
        parts = [part for each in messages for part in (each.id, each.endpoint, each.type, each.body, _renewal(each))]
        self._scripts.run("outbound_queue", [position, _KEPT, *parts])

    def claim(
        self, limit: int, seconds: float, beside: int = _MANY, busy: Mapping[str, int] = MappingProxyType({})
    ) -> Sequence[Delivery]:
        """Deliveries that are due; each is due again after `seconds` unless it is settled before. Of one endpoint no
        more than `beside`, those that are `busy` included: one that does not answer must not hold up the others.
        """
        under_way = [part for endpoint, number in busy.items() for part in (endpoint, number)]
        rows = self._scripts.run("outbound_claim", [limit, round(seconds * 1000), beside, *under_way])
        return [_delivery(dict(zip(row[::2], row[1::2], strict=True))) for row in rows]

    def settle(
        self,
        delivery: Delivery,
        state: DeliveryState,
        status: int | None,
        error: str | None,
        seconds: float = 0,
        told: str = "",
    ) -> None:
        """What came of an attempt; PENDING is due again after `seconds`. One that was renewed meanwhile is due again
        in any case. `told` is kept with it.
        """
        arguments = [
            delivery.message.id,
            state.value,
            "" if status is None else status,
            error or "",
            round(seconds * 1000),
            delivery.version,
            told,
        ]
        self._scripts.run("outbound_settle", arguments)

    def again(self, delivery_id: str) -> Delivery | None:
        """Make a delivery due now, whatever came of it; None when it is not kept."""
        self._scripts.run("outbound_again", [delivery_id])
        return self.get(delivery_id)

    def get(self, delivery_id: str) -> Delivery | None:
        """One delivery; None when it is not kept."""
        with reached():
            row: Mapping[str, str] = self._client.hgetall(f"lucity:outbound:message:{delivery_id}")  # type: ignore[assignment]
        return _delivery(row) if row else None

    def page(self, endpoint: str, first: int, after: str | None) -> tuple[Sequence[Delivery], bool]:
        """Newest first, after the delivery with this id; and whether more follow."""
        key = f"lucity:outbound:of:{endpoint}"
        with reached():
            rank: Any = self._client.zrevrank(key, after) if after else -1
            start = 0 if rank is None else rank + 1
            ids: Any = self._client.zrevrange(key, start, start + first)
            pipeline = self._client.pipeline(transaction=False)
            for each in ids:
                pipeline.hgetall(f"lucity:outbound:message:{each}")
            rows = pipeline.execute()
        found = [_delivery(row) for row in rows if row]
        return found[:first], len(ids) > first

    def forget(self, endpoint: str) -> None:
        """Remove all of an endpoint that is gone."""
        self._scripts.run("outbound_forget", [endpoint])


def _delivery(row: Mapping[str, str]) -> Delivery:
    created_at = moment(row["created_at"])
    if created_at is None:
        raise ValueError(f"delivery {row['id']} has no time")
    return Delivery(
        Message(row["id"], row["endpoint"], row["type"], row["body"]),
        DeliveryState(row["state"]),
        int(row["attempts"]),
        created_at,
        moment(row.get("next_at")),
        moment(row.get("finished_at")),
        int(row["status"]) if row.get("status") else None,
        row.get("error") or None,
        int(row.get("version") or 1),
        row.get("told") or "",
    )


def _renewal(message: Message) -> int:
    """Milliseconds; -1: queued once."""
    return -1 if message.renewed_seconds is None else round(message.renewed_seconds * 1000)
