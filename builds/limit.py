"""The limit of one build. What it does itself counts; that it waits for other builds does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self


class Limit:
    """`async with` it: what takes longer inside than `seconds` is cancelled, and TimeoutError raised."""

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def turn(self, place: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for a place that another build may have, and hold it. The limit stands still until it is got."""
        loop, ends = asyncio.get_running_loop(), self._timeout.when()
        left = None if ends is None else ends - loop.time()
        self._timeout.reschedule(None)
        async with place:
            self._timeout.reschedule(None if left is None else loop.time() + left)
            yield
