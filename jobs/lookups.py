"""Questions to a system that may be slow or silent: all at once, and only for so long."""

from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, TypeVar

LOOKUP_SECONDS: Final = 5.0
_AT_ONCE: Final = 16
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def told_in_time(ask: Callable[[K], V], keys: Collection[K], seconds: float) -> Mapping[K, V]:
    """What `ask` answers for each key, without those that it did not answer by then. Raises what `ask` raises."""
    if not keys:
        return {}
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(keys)), thread_name_prefix="lookup")
    try:
        futures = {key: pool.submit(ask, key) for key in keys}
        done, _ = wait(futures.values(), seconds)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return {key: future.result() for key, future in futures.items() if future in done}
