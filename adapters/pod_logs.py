"""The logs of a service's pods from the Kubernetes API: of every pod as it comes and goes (pod_follower.py), into one
bounded queue.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from datetime import datetime

from adapters import labels
from adapters.kubernetes_streams import Credentials, KubernetesStreams
from adapters.log_lines import stamp_of
from adapters.pod_follower import Bounds, FollowedPod
from adapters.pod_watch import Listed, Pod, PodWatch, Removed
from adapters.ports import Outpaced, PodLine
from gitops.names import namespace
from gitops.problems import RateLimited, Refused


class KubernetesPodLogs:
    """ports.PodLogs."""

    def __init__(self, credentials: Credentials, bounds: Bounds | None = None) -> None:
        self._credentials = credentials
        self._bounds = bounds or Bounds()

    async def follow(
        self,
        project: str,
        environment: str,
        service: str,
        *,
        since: datetime | None,
        tail: int,
        until: asyncio.Future[None],
    ) -> AsyncGenerator[PodLine, None]:
        """See ports.PodLogs."""
        selector = {labels.PROJECT: project, labels.ENVIRONMENT: environment, labels.SERVICE: service}
        reader = _Reader(self._bounds, None if since is None else stamp_of(since), tail)
        space = namespace(project, environment)
        work = asyncio.ensure_future(reader.run(self._credentials, space, selector))
        for future in (work, until):
            future.add_done_callback(reader.wake)
        taken: datetime | None = None
        try:
            while not until.done():
                while not until.done() and (line := reader.next()) is not None:
                    taken = line.at
                    yield line
                if work.done():
                    work.result()
                await reader.wait()
            until.result()
        except _Full:
            raise Outpaced(taken) from None
        finally:
            until.remove_done_callback(reader.wake)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


class _Full(Exception):  # noqa: N818 - a state of the queue
    """No line was taken for too long."""


class _Reader:
    """What one subscription reads: one task per pod, and below it one per container."""

    def __init__(self, bounds: Bounds, since: int | None, tail: int) -> None:
        self._bounds = bounds
        self._since = since
        self._tail = tail
        self._lines: asyncio.Queue[PodLine] = asyncio.Queue(bounds.waiting)
        self._woken = asyncio.Event()

    def wake(self, _: object = None) -> None:
        """There is something to look at."""
        self._woken.set()

    def next(self) -> PodLine | None:
        """The next line, if one waits."""
        return None if self._lines.empty() else self._lines.get_nowait()

    async def wait(self) -> None:
        """Return when there may be something again."""
        await self._woken.wait()
        self._woken.clear()

    async def put(self, line: PodLine) -> None:
        """Queue a line once there is room. Raises _Full."""
        if self._lines.full():
            try:
                async with asyncio.timeout(self._bounds.patience_seconds):
                    await self._lines.put(line)
            except TimeoutError:
                raise _Full from None
        else:
            self._lines.put_nowait(line)
        self.wake()

    async def run(self, credentials: Credentials, space: str, selector: Mapping[str, str]) -> None:
        """Follow every pod, without end; raises what stops it."""
        try:
            async with KubernetesStreams.opened(credentials) as api:
                await self._follow_pods(api, space, selector)
        except BaseExceptionGroup as failed:
            raise _first(failed) from None

    async def _follow_pods(self, api: KubernetesStreams, space: str, selector: Mapping[str, str]) -> None:
        present: dict[str, FollowedPod] = {}
        tail: int | None = self._tail
        changes = PodWatch(api, space, selector).changes()
        async with asyncio.TaskGroup() as tasks, aclosing(changes):
            async for change in changes:
                _part(present, change)
                for pod in _pods_of(change):
                    if pod.uid in present:
                        present[pod.uid].tell(pod)
                        continue
                    followed = present[pod.uid] = FollowedPod(
                        self.put, self._bounds, api, f"/api/v1/namespaces/{space}/pods", pod
                    )
                    tasks.create_task(followed.follow(self._since, tail))
                # What comes after the first list is new from its first line.
                tail = None
                self._judge(present.values())

    def _judge(self, present: Collection[FollowedPod]) -> None:
        count = sum(len(pod.told.containers) for pod in present)
        if count > self._bounds.containers:
            message = f"{count} containers are more than one subscription follows ({self._bounds.containers})"
            raise Refused(RateLimited(message, 60))


def _pods_of(change: Listed | Pod | Removed) -> Collection[Pod]:
    match change:
        case Listed(pods):
            return pods
        case Pod():
            return (change,)
        case Removed():
            return ()


def _part(present: dict[str, FollowedPod], change: Listed | Pod | Removed) -> None:
    """Take leave of the pods that are gone."""
    gone: Collection[str] = ()
    if isinstance(change, Listed):
        gone = present.keys() - {pod.uid for pod in change.pods}
    elif isinstance(change, Removed):
        gone = present.keys() & {change.uid}
    for uid in gone:
        present.pop(uid).tell(None)


def _first(failed: BaseException) -> BaseException:
    return _first(failed.exceptions[0]) if isinstance(failed, BaseExceptionGroup) else failed
