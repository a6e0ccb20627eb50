"""Waiting for a condition, with a generous deadline and a word on what was waited for."""

import asyncio
import time
from collections.abc import Callable

DEADLINE_SECONDS = 30.0


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds; fail, naming it, when it does not in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS:.0f} s for {what}"
        time.sleep(0.005)


async def until(condition: Callable[[], object], what: str) -> None:
    """The same without holding the loop up."""
    await asyncio.to_thread(wait_until, condition, what)
