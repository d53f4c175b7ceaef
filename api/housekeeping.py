"""What a server does now and then while nobody asks for anything. Each round can be repeated, and may fail alone."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from paas.clock import Clock
from paas.errors import PaasError
from paas.store.database import Store
from paas.threads import in_thread

log = logging.getLogger(__name__)

PAUSE = 60.0


@asynccontextmanager
async def housekeeping(store: Store, *, clock: Clock) -> AsyncIterator[None]:
    """Keep house for as long as the context is open."""
    task = asyncio.create_task(_rounds(store, clock), name="housekeeping")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _rounds(store: Store, clock: Clock) -> None:
    while True:
        try:
            await in_thread(store.reclaim_ballast)
        except PaasError as error:
            log.warning("housekeeping was put off", extra={"reason": error.message})
        await clock.sleep(PAUSE)
