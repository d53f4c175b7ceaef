"""A clock that stands still until a test moves it. Nothing sleeps for real on it."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_LONGEST_STEP = 0.5
_BREATH = 0.002
_PATIENCE = 3
_LONGEST_HOLD = 2000


class FakeClock:
    """Time as a test wants it. Wall clock and monotonic clock move together unless `set_wall` says otherwise."""

    def __init__(self, *, start: float = 1000.0) -> None:
        self._monotonic = start
        self._wall = datetime(2026, 1, 1, tzinfo=UTC)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self.hold: Callable[[], bool] = lambda: False
        """Says whether what is tested is at work: `pass_by` and `until` move time only when it waits."""

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, future))
        if seconds <= 0:
            self._wake()
        await future

    def set_wall(self, moment: datetime) -> None:
        """Let the wall clock jump; the monotonic one does not."""
        self._wall = moment

    def move(self, seconds: float) -> None:
        """Let `seconds` pass at once; those whose sleep is over wake when the loop runs next."""
        self._monotonic += seconds
        self._wall += timedelta(seconds=seconds)
        self._wake()

    async def pass_by(self, seconds: float) -> None:
        """Let `seconds` pass in small steps, with room after each for what they set off."""
        end = self._monotonic + seconds
        while self._monotonic < end:
            await self._breathe(_PATIENCE)
            self.move(min(self._step(), end - self._monotonic))
        await self._breathe(_PATIENCE)

    async def until(self, check: Callable[[], bool], *, within: float = 120.0) -> None:
        """Let time pass in small steps until `check` holds; AssertionError after `within` seconds of this clock."""
        end = self._monotonic + within
        while not check():
            await self._breathe(_PATIENCE, enough=check)
            if check():
                return
            if self._monotonic >= end:
                raise AssertionError(f"not within {within} s of the fake clock")
            self.move(self._step())

    def _step(self) -> float:
        """Return the time to the next end of a sleep, so that nobody sleeps longer than asked for."""
        waiting = [due for due, _, future in self._sleepers if not future.done()]
        return min(max(min(waiting, default=0.0) - self._monotonic, 0.001), _LONGEST_STEP)

    async def _breathe(self, times: int, *, enough: Callable[[], bool] = lambda: False) -> None:
        for _ in range(_LONGEST_HOLD):
            await asyncio.sleep(_BREATH)
            times -= 1
            if enough() or (times <= 0 and not self.hold()):
                return

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
