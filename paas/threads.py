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


async def to_its_end(call: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
    """Return what `call` returns, as `in_thread` does. A cancellation meanwhile is raised once the call has ended, and
    `undo` was called with what it returned: a thread cannot be stopped, and nobody would end what it has begun."""
    work = asyncio.ensure_future(in_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled() and work.exception() is None and undo is not None:
            await asyncio.shield(in_thread(undo, work.result()))
        raise
