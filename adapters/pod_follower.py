"""The logs of one pod: followed container by container, through restarts and broken connections, to their end."""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from adapters.kubernetes_streams import Declined, KubernetesStreams, Query, chunks
from adapters.log_lines import Progress, Splitter, StampedLine
from adapters.pod_watch import Container, Pod, judge
from adapters.ports import PodLine, Unreachable

Put = Callable[[PodLine], Awaitable[None]]
_NOT_YET: Final = (400, 404)
_UNSTARTED: Final = Container(0, settled=False)
_TRIES: Final = 3
"""How often a log of a pod that is over is asked for, when it does not come."""
_LINGERS: Final = 20


@dataclass(frozen=True)
class Bounds:
    """What one reader may take, and how long things may last."""

    waiting: int = 256
    """Lines that wait for the reader; with adapters.log_lines.LONGEST this bounds its memory."""
    patience_seconds: float = 10.0
    """How long a line waits for room, before the reader counts as too slow."""
    containers: int = 500
    """Containers followed at once."""
    silence_seconds: float = 120.0
    """A log that says nothing is then read again: a kubelet may have lost its place in it."""
    linger_seconds: float = 3.0
    """How long a log of a pod that is gone is listened to after its last line."""
    pause_seconds: float = 5.0
    """The longest pause before a log is tried again."""


class _End(Enum):
    """How a read ended."""

    ENDED = "ended"
    NOT_YET = "not yet"
    BROKEN = "broken"


class FollowedPod:
    """The logs of one pod. `told` is the pod as last seen."""

    def __init__(self, put: Put, bounds: Bounds, api: KubernetesStreams, pods: str, pod: Pod) -> None:
        self.told = pod
        self._put_line = put
        self._bounds = bounds
        self._api = api
        self._path = f"{pods}/{pod.name}/log"
        self._gone = False
        self._changed = asyncio.Event()
        self._lines = 0
        self._putting = 0

    def tell(self, pod: Pod | None) -> None:
        """The pod has changed; None: it is gone."""
        self.told = pod or self.told
        self._gone = pod is None
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(self, since: int | None, tail: int | None) -> None:
        """Follow every container until the pod is gone and nothing more comes."""
        if tail and len(self.told.containers) > 1:
            since, tail = await self._parted(since, tail)
        followed: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while not self._gone:
                changed = self._changed
                for name in self.told.containers.keys() - followed.keys():
                    followed[name] = tasks.create_task(self._follow(name, Progress(since, tail)))
                await changed.wait()
            if followed:
                await self._linger(followed.values())
            for task in followed.values():
                task.cancel()

    async def _linger(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Return when every log has ended, or says nothing any more."""
        for _ in range(_LINGERS):
            lines = self._lines
            await asyncio.wait(tasks, timeout=self._bounds.linger_seconds)
            if self._lines == lines and not self._putting:
                return

    async def _parted(self, since: int | None, tail: int) -> tuple[int | None, int | None]:
        """Where the last `tail` lines of all containers together begin; the containers count by themselves when they
        have no more than that.
        """
        asked = Progress(since, tail).begin()
        async with asyncio.TaskGroup() as tasks:
            reads = [tasks.create_task(self._stamps(name, asked, tail)) for name in self.told.containers]
        stamps = heapq.nlargest(tail + 1, (stamp for read in reads for stamp in read.result()))
        return (since, tail) if len(stamps) <= tail else (max(since or 0, stamps[-2]), None)

    async def _stamps(self, name: str, asked: Query, tail: int) -> Collection[int]:
        stamps: deque[int] = deque(maxlen=tail)
        splitter = Splitter()
        try:
            async with self._api.stream(self._path, _query(name, asked), self._bounds.pause_seconds) as answer:
                async for chunk in chunks(answer):
                    stamps.extend(line.stamp for line in splitter.feed(chunk) if line.stamp is not None)
        except Declined as declined:
            judge(declined)
        except Unreachable:
            return stamps
        return stamps

    async def _follow(self, name: str, progress: Progress) -> None:
        """One container: its log as it is now, then as it goes on, until the pod is gone or over."""
        tries, restarts, end = 0, self._state(name).restarts, _End.NOT_YET
        while True:
            state, over, lines = self._state(name), self.told.over, self._lines
            if state.restarts > restarts:
                if end is _End.ENDED:
                    await self._put_rest(name, progress)
                # What the ended one wrote last may not have been read, nor anything of one that ended at once.
                await self._read(name, progress, {"previous": "true"}, last=True)
                restarts = state.restarts
            last = over or state.settled
            end = await self._read(name, progress, {} if last else {"follow": "true"}, last=last)
            tries = 0 if self._lines != lines else tries + 1
            if self._gone or (over and (end is _End.ENDED or tries >= _TRIES)):
                break
            await self._until_other(name, (state, over), None if last and end is _End.ENDED else tries)
        await self._put_rest(name, progress)

    async def _read(self, name: str, progress: Progress, how: Query, *, last: bool) -> _End:
        """Read once; `last`: what ends then ends for good."""
        asked = _query(name, {**progress.begin(), **how})
        try:
            async with self._api.stream(self._path, asked, self._bounds.silence_seconds) as answer:
                progress.opened(datetime.now(UTC))
                async for chunk in chunks(answer):
                    for line in progress.feed(chunk):
                        await self._put(name, line)
        except Declined as declined:
            judge(declined)
            if declined.status not in _NOT_YET:
                return _End.BROKEN
            progress.delayed()
            return _End.NOT_YET
        except Unreachable:
            return _End.BROKEN
        if last:
            await self._put_rest(name, progress)
        return _End.ENDED

    async def _put_rest(self, name: str, progress: Progress) -> None:
        """What the container wrote last, without the end of a line."""
        if (rest := progress.rest()) is not None:
            await self._put(name, rest)

    async def _put(self, name: str, line: StampedLine) -> None:
        self._lines += 1
        self._putting += 1
        await self._put_line(PodLine(line.at, self.told.name, name, line.text))
        self._putting -= 1

    async def _until_other(self, name: str, seen: tuple[Container, bool], tries: int | None) -> None:
        """Return when the container is told differently, the pod is gone or, unless `tries` is None, after a pause."""
        longest = min(self._bounds.pause_seconds, 0.2 * 2 ** min(tries or 0, 10))
        try:
            async with asyncio.timeout(None if tries is None else random.uniform(longest / 2, longest)):  # noqa: S311
                while not self._gone and (self._state(name), self.told.over) == seen:
                    await self._changed.wait()
        except TimeoutError:
            return

    def _state(self, name: str) -> Container:
        return self.told.containers.get(name, _UNSTARTED)


def _query(name: str, asked: Query) -> dict[str, str]:
    return {"container": name, "timestamps": "true", **asked}
