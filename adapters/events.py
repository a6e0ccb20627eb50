"""The event log in Redis, the heads it tells of, and the logs of jobs. Following it as it grows is event_tail.py's."""

from collections.abc import Mapping, Sequence
from typing import cast

from redis import Redis

from adapters import event_entries
from adapters.event_entries import parse_cursor
from adapters.job_fields import moment
from adapters.records import EventKind, EventPage, LogEntry, LogPage
from adapters.redis_client import Scripts, reached
from adapters.settings import Settings

LOG_LINES_KEPT = 50_000


class RedisEvents:
    """See ports.Events."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._scripts = Scripts(client, settings)

    def position(self) -> str:
        """See ports.Events.position. A log that was never written to is begun."""
        epoch, newest, *_ = self._scripts.run("events_after", ["", 0, 1])
        return f"{epoch}.{newest}"

    def after(self, cursor: str, count: int = 500) -> EventPage:
        """See ports.Events.after."""
        epoch, newest, gap, entries = self._scripts.run("events_after", [*parse_cursor(cursor), count])
        if gap:
            return EventPage((), f"{epoch}.{newest}", gap=True)
        events = tuple(event_entries.parse_flat(*entry) for entry in entries)
        return EventPage(events, events[-1].cursor if events else cursor)

    def wait(self, cursor: str, seconds: float) -> None:
        """See ports.Events.wait."""
        _, newest = parse_cursor(cursor)
        with reached():
            self._client.xread({"lucity:events": f"{newest}-0"}, count=1, block=max(1, round(seconds * 1000)))

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        """See ports.Events.heads."""
        if not projects:
            return {}
        with reached():
            heads = cast("list[str | None]", self._client.hmget("lucity:heads", list(projects)))
        return {project: head for project, head in zip(projects, heads, strict=True) if head}

    def advance_head(
        self,
        project: str,
        old: str | None,
        new: str,
        commits: Sequence[tuple[str, Sequence[str]]],
        *,
        rewritten: bool = False,
    ) -> bool:
        """See ports.Events.advance_head. History that was rewritten is one event of its own and no commits."""
        kind = EventKind.HISTORY_REWRITTEN if rewritten else EventKind.COMMIT
        data = [""] if rewritten else [event_entries.render_commit(*commit) for commit in commits]
        told = [] if old is None else data
        return bool(self._scripts.run("head_advance", [project, int(old is None), old or "", new, kind.value, *told]))

    def revoked(self, token_id: str) -> None:
        """See ports.Events.revoked."""
        self._scripts.run("events_append", [EventKind.TOKEN_REVOKED.value, "", "", "", token_id])

    def append_log(self, job_id: str, lines: Sequence[tuple[str, str]]) -> None:
        """See ports.Events.append_log. Followers of `event_tail.log_wakeups` are woken."""
        kept = round(self._settings.log_days * 86_400_000)
        parts = [part for line in lines for part in line]
        if parts:
            self._scripts.run("log_append", [job_id, kept, LOG_LINES_KEPT, *parts])

    def log(self, job_id: str, first: int, after: str | None) -> LogPage:
        """See ports.Events.log. `position` is where to go on: at the last line, or after a gap before the oldest
        that is kept; '' is the start of a log that does not exist yet.
        """
        epoch, start = parse_cursor(after) if after else ("", 0)
        now, sequence, gap, entries = self._scripts.run("log_page", [job_id, epoch, start, first + 1])
        end = f"{now}.{sequence}" if now else ""
        if gap:
            return LogPage((), has_next=False, gap=True, position=end)
        lines = tuple(_log_entry(now, *entry) for entry in entries[:first])
        return LogPage(lines, len(entries) > first, position=lines[-1].cursor if lines else after or end)


def _log_entry(epoch: str, entry_id: str, flat: Sequence[str]) -> LogEntry:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    at = moment(fields["at"])
    if at is None:
        raise ValueError(f"log entry {entry_id} has no time")
    return LogEntry(f"{epoch}.{entry_id.partition('-')[0]}", at, fields["stream"], fields["text"])
