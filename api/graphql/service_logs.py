"""The logs of a service as its pods write them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Self

import strawberry

from adapters.ports import PodLine, PodLogs
from adapters.records import Event, EventKind
from api.background import end
from api.events import EventStream
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import stream
from api.reading.services import is_removed, require_service
from api.threads import call
from gitops.names import EnvironmentName, ProjectName, ServiceName
from gitops.problems import Refused, Unavailable, invalid
from gitops.times import exact

LONGEST_TAIL = 10_000
_NO_ACCESS = "Logs are read from the cluster, and this server has no access to one: set LUCITY_KUBECONFIG."
Place = tuple[str, str, str]
"""Project, environment, service."""


@strawberry.type(description="One line that a container of a service wrote.")
class ServiceLogLine:
    """See adapters.ports.PodLine."""

    at: datetime
    pod: str
    container: str
    text: str = strawberry.field(description="Without its end; what is longer than 16 KiB is cut, and says so.")
    cursor: strawberry.Private[str]

    @classmethod
    def of(cls, line: PodLine) -> Self:
        """From the cluster. The cursor, told to who is too slow, is what to ask for as `since`."""
        return cls(at=line.at, pod=line.pod, container=line.container, text=line.text, cursor=exact(line.at))


@strawberry.type
class ServiceLogSubscription:
    """Root fields."""

    @stream(
        "The logs of all containers of all pods of a service, also of those that come later: the last `tail` lines of "
        "each pod, not before `since`, and then what follows. Completes when the environment has no such service.",
        scope="project",
    )
    async def service_log(
        self,
        info: Info,
        project: str,
        environment: str,
        service: str,
        since: datetime | None = strawberry.UNSET,
        tail: int | None = 100,
    ) -> AsyncGenerator[ServiceLogLine, None]:
        """See the contract."""
        place = ProjectName.parse(project), EnvironmentName.parse(environment), ServiceName.parse(service)
        logs, lines = _logs(info), _bounded(100 if tail is None else tail)
        # Listening begins before the look, so that no removal falls between them.
        async with aclosing(await info.context.hub.events(None, _moves, project)) as events:
            await call(require_service, info.context.ports, info.context.flights, *place)
            removed = asyncio.ensure_future(_removal(info, events, place))
            followed = logs.follow(*place, since=or_none(since), tail=lines, until=removed)
            try:
                async with aclosing(followed):
                    async for line in followed:
                        yield ServiceLogLine.of(line)
            finally:
                await end(removed)


def _logs(info: Info) -> PodLogs:
    if info.context.ports.pod_logs is None:
        raise Refused(Unavailable(_NO_ACCESS, "cluster"))
    return info.context.ports.pod_logs


def _bounded(tail: int) -> int:
    if not 0 <= tail <= LONGEST_TAIL:
        raise invalid("tail", f"tail is {tail}: from 0 to {LONGEST_TAIL} lines can be asked for.")
    return tail


def _moves(event: Event) -> bool:
    """Whether a service may have gone with it: by a commit, or with the whole project."""
    return event.kind is EventKind.COMMIT or (event.job is not None and event.job.state.ended)


async def _removal(info: Info, events: EventStream, place: Place) -> None:
    """Return when the service is no longer there."""
    async for _ in events:
        if await call(is_removed, info.context.ports, info.context.flights, *place):
            return
