"""How a deployment writes down how far it is. A call to the store is never cut short, nor overtaken by a later one."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from paas.threads import to_its_end

P = ParamSpec("P")
T = TypeVar("T")


async def recorded(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `call` returns, run on a worker thread to its end; a cancellation is raised after that end.

    A thread cannot be stopped: cut loose, its write could land after the one that records the cancellation.
    """
    return await to_its_end(partial(call, *args, **kwargs))
