"""The one place where the API crosses from its event loop to the synchronous core."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

Arguments = TypeVarTuple("Arguments")
Answer = TypeVar("Answer")

THREADS = 40
THREADS_ASIDE = 8
_limiter: RunVar[CapacityLimiter] = RunVar("lucity_threads")
_limiter_aside: RunVar[CapacityLimiter] = RunVar("lucity_threads_aside")


async def call(function: Callable[[*Arguments], Answer], *args: *Arguments) -> Answer:
    """`function(*args)` in a worker thread; at most 40 at once per event loop, the others wait their turn."""
    return await to_thread.run_sync(function, *args, limiter=_limited(_limiter, THREADS))


async def call_aside(function: Callable[[*Arguments], Answer], *args: *Arguments) -> Answer:
    """As `call`, in 8 threads of its own: for what asks a system that may hang and that others do not need. Who is
    cancelled does not wait for the answer.
    """
    limiter = _limited(_limiter_aside, THREADS_ASIDE)
    return await to_thread.run_sync(function, *args, limiter=limiter, abandon_on_cancel=True)


def _limited(place: RunVar[CapacityLimiter], threads: int) -> CapacityLimiter:
    try:
        return place.get()
    except LookupError:
        limiter = CapacityLimiter(threads)
        place.set(limiter)
        return limiter
