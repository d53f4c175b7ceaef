"""Waking and waiting on a Clock: events wake early, time wakes at the latest."""

import asyncio

from paas.clock import Clock


class Wake:
    """A bell that one task waits for and any callback may ring. Rings while nobody waits count once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits, now or next. Only enqueues."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return when the bell was rung, or after `seconds`."""
        if seconds > 0 and not self._rung.is_set():
            await until(self._rung, seconds, clock=self._clock)
        else:
            # A task that is always called for must not keep the others from their turn.
            await asyncio.sleep(0)
        self._rung.clear()


class Passes:
    """Counts the supervisor's passes, for those who wait for one that began after they asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = 0
        self._routed = 0
        self._ended = 0
        self._turn = asyncio.Event()
        self.under_way = False

    def begin(self) -> None:
        """Say that a pass begins."""
        self._begun += 1
        self.under_way = True

    def routed(self) -> None:
        """Say that the routes that follow from what it has seen are offered; what it does about the rest comes after."""
        self._routed = self._begun
        self._wake()

    def end(self, *, worked: bool) -> None:
        """Say that it has ended; one that did not work has shown nothing, so nobody's wait is over."""
        self.under_way = False
        if worked:
            self._ended = self._begun
        self._wake()

    def next_to_begin(self) -> int:
        """Return the number of the first pass that sees everything that is so now."""
        return self._begun + 1

    def has_ended(self, number: int) -> bool:
        """Return whether the pass `number` is over."""
        return self._ended >= number

    def has_routed(self, number: int) -> bool:
        """Return whether the pass `number`, or a later one, has offered its routes."""
        return self._routed >= number

    async def wait(self, seconds: float) -> None:
        """Return when the pass under way, or the next one, has come further, or after `seconds`."""
        await until(self._turn, seconds, clock=self._clock)

    def _wake(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()


async def until(event: asyncio.Event, seconds: float, *, clock: Clock) -> None:
    """Return when `event` is set, or after `seconds` of `clock`."""
    waiting = asyncio.ensure_future(event.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        sleeping.cancel()
