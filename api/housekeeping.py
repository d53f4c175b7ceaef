"""What a server does now and then while nobody asks for anything. Each round can be repeated, and may fail alone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from paas.clock import Clock
from paas.errors import PaasError

log = logging.getLogger(__name__)

MINUTE = 60.0
HOUR = 3600.0


@asynccontextmanager
async def housekeeping(
    chore: Callable[[], Awaitable[None]], *, every: float, clock: Clock
) -> AsyncIterator[None]:
    """Do the chore now, and again `every` so many seconds, for as long as the context is open. What it raises is logged."""
    task = asyncio.create_task(_rounds(chore, every, clock), name="housekeeping")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _rounds(chore: Callable[[], Awaitable[None]], every: float, clock: Clock) -> None:
    while True:
        try:
            await chore()
        except PaasError as error:
            log.warning("housekeeping was put off", extra={"reason": error.message})
        except Exception:  # the boundary: a round that fails must not be the last one
            log.exception("housekeeping failed; it goes on with the next round")
        await clock.sleep(every)
