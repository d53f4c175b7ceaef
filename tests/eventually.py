"""Waiting for what must come true, without sleeping a fixed time."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.02


def eventually(check: Callable[[], T], *, within: float = 10.0) -> T:
    """Return the first truthy answer of `check`; raise AssertionError with its last answer or error otherwise."""
    deadline = time.monotonic() + within
    while True:
        last: object
        try:
            answer = check()
            if answer:
                return answer
            last = answer
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: last seen {last!r}")
        threading.Event().wait(_PAUSE)


async def eventually_async(check: Callable[[], Awaitable[T]], *, within: float = 10.0) -> T:
    """Return the first truthy answer of the coroutine that `check` makes."""
    deadline = time.monotonic() + within
    while True:
        answer = await check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: last seen {answer!r}")
        await asyncio.sleep(_PAUSE)
