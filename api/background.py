"""Tasks beside the one that serves a request: begun again whatever stops them, and ended whatever holds them up."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog

RETRY_SECONDS = 0.5
_CANCEL_AGAIN_SECONDS = 0.1


async def for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """Begin a work again after whatever nobody foresaw: without it the API would seem to run."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - see above
            structlog.get_logger().error("background work failed, it begins again", exc_info=error)
        await asyncio.sleep(RETRY_SECONDS)


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and return once they are over; what they raise is nobody's business any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def end_readers(tasks: Collection[asyncio.Future[Any]]) -> None:
    """As `end`, for what reads from Redis. A cancellation that meets a time-out inside its client gets lost: so each is
    cancelled until it is over.
    """
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=_CANCEL_AGAIN_SECONDS)
