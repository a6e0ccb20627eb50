"""What runs in the cluster writes lines; they are followed."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class PodLine:
    """One line that a container wrote."""

    at: datetime
    pod: str
    container: str
    text: str


class PodLogs(Protocol):
    """What the pods of a service write. Natively asynchronous: a reader may stay for days."""

    def follow(
        self,
        project: str,
        environment: str,
        service: str,
        *,
        since: datetime | None,
        tail: int,
        until: asyncio.Future[None],
    ) -> AsyncGenerator[PodLine, None]:
        """The lines of all containers of all pods of a service: the last `tail` of each pod that is there, all of each
        that comes, none from before `since`; those of a container in their order. Ends when `until` is done. Raises
        Unreachable('cluster'), Refused: Unavailable when the cluster does not allow it, RateLimited; Outpaced.
        """
        ...
