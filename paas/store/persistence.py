"""Recording what must not stay open, such as an end, although the store cannot take it for now."""

import logging
from collections.abc import Callable
from typing import TypeVar

from paas.clock import Clock
from paas.store.errors import PASSING
from paas.threads import to_its_end

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE = 1.0
PATIENCE = 10.0


async def persist(call: Callable[[], T], *, clock: Clock, until: Callable[[], bool] | None = None) -> T:
    """Return what `call` returns, run on a worker thread, and again while the disk is full or the database busy.

    Raises that error once `until()` holds, without it after `PATIENCE` seconds, and any other error at once. A
    cancellation is raised when the try under way has ended.
    """
    given_up = until or _after(PATIENCE, clock)
    try:
        return await to_its_end(call)
    except PASSING as error:
        log.warning("not recorded yet, trying again", extra={"reason": error.message})
    while True:  # at once at first: where the disk was full, the store has made room by now
        try:
            return await to_its_end(call)
        except PASSING:
            if given_up():
                raise
        await clock.sleep(PAUSE)


def _after(seconds: float, clock: Clock) -> Callable[[], bool]:
    end = clock.monotonic() + seconds
    return lambda: clock.monotonic() >= end
