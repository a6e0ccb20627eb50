"""The one place where the API crosses from its event loop to the synchronous core."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

Arguments = TypeVarTuple("Arguments")
Answer = TypeVar("Answer")

THREADS = 40
_limiter: RunVar[CapacityLimiter] = RunVar("lucity_threads")


async def call(function: Callable[[*Arguments], Answer], *args: *Arguments) -> Answer:
    """`function(*args)` in a worker thread; at most 40 at once per event loop, the others wait their turn."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    return await to_thread.run_sync(function, *args, limiter=limiter)
