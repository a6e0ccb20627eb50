"""Wakes those who follow the log of a job; one subscription to Redis per process, while anybody follows one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from api.background import end_readers, for_ever


class LogBell:
    """`follow` answers ids of jobs whose log grew, '' when any may have (adapters/event_tail.py)."""

    def __init__(self, follow: Callable[[], AsyncIterator[str]]) -> None:
        self._follow = follow
        self._listeners: dict[str, dict[asyncio.Event, None]] = {}
        self._task: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def listening(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when the job's log has grown, and once at the start."""
        grown = asyncio.Event()
        grown.set()
        self._listeners.setdefault(job_id, {})[grown] = None
        if self._task is None:
            self._task = asyncio.ensure_future(for_ever(self._run))
        try:
            yield grown
        finally:
            await self._leave(job_id, grown)

    async def _leave(self, job_id: str, grown: asyncio.Event) -> None:
        del self._listeners[job_id][grown]
        if not self._listeners[job_id]:
            del self._listeners[job_id]
        if not self._listeners and self._task is not None:
            task, self._task = self._task, None
            await end_readers([task])

    async def _run(self) -> None:
        async for job_id in self._follow():
            for followed in [job_id] if job_id else list(self._listeners):
                for grown in self._listeners.get(followed, ()):
                    grown.set()
