"""The bell of logs, over a follower that fails in ways that Redis' client knows."""

import asyncio
from collections.abc import AsyncIterator

from api.log_bell import LogBell


def test_followers_are_woken_again_after_what_nobody_foresaw() -> None:
    begun = 0

    async def follow() -> AsyncIterator[str]:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ValueError("half a message")
        yield "job_1"
        await asyncio.Event().wait()

    async def story() -> None:
        async with LogBell(follow).listening("job_1") as grown:
            grown.clear()
            await asyncio.wait_for(grown.wait(), 30)

    asyncio.run(story())


def test_who_leaves_is_not_held_up_by_a_cancellation_that_got_lost() -> None:
    lost = 0

    async def follow() -> AsyncIterator[str]:
        nonlocal lost
        yield ""
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    async def story() -> None:
        async with LogBell(follow).listening("job_1") as grown:
            grown.clear()
            await asyncio.wait_for(grown.wait(), 30)

    asyncio.run(asyncio.wait_for(story(), 30))
    assert lost > 1
