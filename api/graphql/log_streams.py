"""A job's log as it grows; completes when the job has ended and every line was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import strawberry

from adapters.records import Event, JobRecord, LogEntry
from api.background import end
from api.events import EventStream
from api.graphql import job_streams, streams
from api.graphql.connections import LARGEST_PAGE
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import stream
from api.graphql.jobs import parse_id
from api.graphql.logs import LogLine
from api.threads import call


@strawberry.type(description="One item of jobLog; without a line only after a gap, then the log begins anew.")
class LogEvent(streams.Item):
    """See the contract."""

    line: LogLine | None

    @classmethod
    def of(cls, line: LogEntry) -> "LogEvent":
        """One line."""
        identity = ("jobLog", line.cursor)
        return cls(cursor=line.cursor, at=line.at, gap=False, identity=identity, line=LogLine.of(line))

    @classmethod
    def after_gap(cls, position: str) -> "LogEvent":
        """The cursor could not be honoured."""
        at = datetime.now(UTC)
        return cls(cursor=position, at=at, gap=True, identity=("jobLog", position, at.isoformat()), line=None)


@strawberry.type
class LogSubscription:
    """Root fields."""

    @stream("The log of a job until it has ended.")
    async def job_log(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - the contract's name
        after: str | None = strawberry.UNSET,
    ) -> AsyncIterator[LogEvent]:
        """See the contract."""
        job = await job_streams.require(info, parse_id(id))
        cursor = or_none(after)
        async with info.context.bell.listening(job.id) as grown:
            ends = await info.context.hub.events(None, lambda event: _ends(event, job), job.project)
            async for _ in _turns(info, job, grown, ends):
                async for item in _rest(info, job, cursor):
                    cursor = None if item.gap else item.cursor
                    yield item


def _ends(event: Event, job: JobRecord) -> bool:
    return event.job is not None and event.job.id == job.id and event.job.state.ended


async def _turns(info: Info, job: JobRecord, grown: asyncio.Event, ends: EventStream) -> AsyncIterator[None]:
    """One turn whenever the log may have grown, the last one after the job has ended."""
    watcher = asyncio.ensure_future(_wake(grown, ends))
    watcher.add_done_callback(lambda _: grown.set())
    try:
        while not (await job_streams.present(info, job)).state.ended:
            yield
            await grown.wait()
            grown.clear()
            if watcher.done():
                watcher.result()
        yield
    finally:
        await end(watcher)


async def _wake(grown: asyncio.Event, ends: EventStream) -> None:
    """Also the end of the job is a reason to look."""
    async with aclosing(ends):
        async for _ in ends:
            grown.set()


async def _rest(info: Info, job: JobRecord, cursor: str | None) -> AsyncIterator[LogEvent]:
    """Every line after the cursor that there is now; after a gap every line that there is."""
    more = True
    while more:
        page = await call(info.context.ports.events.log, job.id, LARGEST_PAGE, cursor or None)
        if page.gap:  # of a log that is gone altogether, the cursor that was given stays the only one there is
            yield LogEvent.after_gap(page.position or cursor or "")
        for line in page.lines:
            yield LogEvent.of(line)
        cursor, more = (None, True) if page.gap else (page.position, page.has_next)
