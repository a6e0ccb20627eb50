"""What all subscriptions share: items with a cursor, and the moments at which they are due."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import strawberry

from adapters.records import Event
from api.graphql.context import Info
from api.graphql.given import or_none
from api.threads import call

Wanted = Callable[[Event], bool]
Over = Callable[[], Awaitable[bool]]
_PAGE = 500


@strawberry.type
class Item:
    """The fields of every item; `identity` is equal for items that show the same, so that they are executed once."""

    cursor: str = strawberry.field(
        description="As `after` of the next subscription: all that follows this item, without a gap or a double."
    )
    at: datetime = strawberry.field(description="When it happened.")
    gap: bool = strawberry.field(description="The cursor could not be honoured: this is the present state instead.")
    identity: strawberry.Private[tuple[str, ...]]


@dataclass(frozen=True)
class Moment:
    """When an item is due: an event, or (event None) the present state, at the start or after a gap."""

    cursor: str
    event: Event | None = None
    gap: bool = False

    def item(self, kind: str) -> dict[str, Any]:
        """The fields of Item."""
        at = self.event.at if self.event else datetime.now(UTC)
        state = ("event",) if self.event else ("state", at.isoformat())
        return {"cursor": self.cursor, "at": at, "gap": self.gap, "identity": (kind, self.cursor, *state)}


async def moments(
    info: Info, after: str | None, wanted: Wanted, project: str | None, over: Over | None = None
) -> AsyncIterator[Moment]:
    """The present first (after: null), then every wanted event, without end; a gap comes as the present state.

    The cursor of a present moment is the position from before: read the state after it was yielded. `over` tells
    whether what is followed has ended: then a cursor is answered by what has happened since, and no more is awaited.
    """
    cursor = or_none(after)
    stream = await info.context.hub.events(cursor, wanted, project)
    async with aclosing(stream):
        if cursor is None:
            yield Moment(stream.position)
        elif over is not None and await over():
            async for moment in _past(info, cursor, wanted):
                yield moment
            return
        async for item in stream:
            yield Moment(item.cursor, item) if isinstance(item, Event) else Moment(item.position, gap=True)


async def _past(info: Info, after: str, wanted: Wanted) -> AsyncIterator[Moment]:
    cursor = after
    while True:
        page = await call(info.context.ports.events.after, cursor, _PAGE)
        if page.gap:
            yield Moment(page.position, gap=True)
            return
        for event in page.events:
            if wanted(event):
                yield Moment(event.cursor, event)
        if not page.events:
            return
        cursor = page.position
