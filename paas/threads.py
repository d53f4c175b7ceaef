"""The one way from the event loop to blocking code (git, SQLite, the filesystem). The loop itself never blocks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="mini-blocking")


async def in_thread(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `call` returns, run on a worker thread; raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, lambda: call(*args, **kwargs))


async def begun_in_thread(begin: Callable[[], T], *, undo: Callable[[T], object]) -> T:
    """Return what `begin` returns, as `in_thread` does. Where the caller is cancelled meanwhile, `undo` is called with it
    before the cancellation is raised: a thread cannot be stopped, and nobody would end what it has begun."""
    beginning = asyncio.ensure_future(in_thread(begin))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        await asyncio.wait({beginning})
        if not beginning.cancelled() and beginning.exception() is None:
            await asyncio.shield(in_thread(undo, beginning.result()))
        raise
