"""The one way from the event loop to blocking code (git, SQLite, the filesystem), and back. The loop itself never blocks."""

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


def awaited_by_threads(task: asyncio.Future[T]) -> Callable[[], T]:
    """Return a function by which any other thread waits for what a task of this loop returns; raises what it raises."""
    loop = asyncio.get_running_loop()

    async def result() -> T:
        return await asyncio.shield(task)

    return lambda: asyncio.run_coroutine_threadsafe(result(), loop).result()
