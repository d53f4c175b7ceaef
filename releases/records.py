"""How a deployment writes down how far it is. A call to the store is never cut short, nor overtaken by a later one."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from paas.threads import in_thread

P = ParamSpec("P")
T = TypeVar("T")


async def recorded(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `call` returns, run on a worker thread to its end; a cancellation is raised after that end.

    A thread cannot be stopped: cut loose, its write could land after the one that records the cancellation.
    """
    work = asyncio.ensure_future(in_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise
