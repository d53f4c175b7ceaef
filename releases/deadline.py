"""Waits with an end, on the injected clock. Never on asyncio's own timers, which no test could turn."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from paas.clock import Clock

T = TypeVar("T")


async def within(work: Coroutine[None, None, T], seconds: float, *, clock: Clock) -> T:
    """Return what `work` returns; raises TimeoutError after `seconds`, with `work` cancelled and awaited."""
    task = asyncio.ensure_future(work)
    limit = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, limit}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        limit.cancel()
        await asyncio.gather(task, limit, return_exceptions=True)
