"""One moving deadline per connection. Moving it later costs an assignment, not a new timer; idle, none runs."""

import asyncio
from collections.abc import Callable
from math import inf

from paas.router.loop import RouterLoop


class Deadline:
    """Calls `expired` once when the time set last is over. It may be set again and again, there too."""

    __slots__ = ("_at", "_clock", "_expired", "_handle", "_loop", "_wakes_at")

    def __init__(self, loop: RouterLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._clock = loop.direct
        self._expired = expired
        self._at: float | None = None
        self._wakes_at = inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now."""
        self._at = at = self._clock.now + seconds
        if at < self._wakes_at:
            if self._handle is not None:
                self._handle.cancel()
            self._wake(at)

    def clear(self) -> None:
        """Have no deadline for now."""
        self._at = None

    def close(self) -> None:
        """Have none for ever."""
        self._at = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._wakes_at = inf

    def _wake(self, at: float) -> None:
        self._wakes_at = at
        self._handle = self._loop.call_at(at, self._woken)

    def _woken(self) -> None:
        woken_at, self._wakes_at = self._wakes_at, inf
        self._handle = None
        if self._at is None:
            return
        if self._at > woken_at:
            self._wake(self._at)
            return
        self._at = None
        self._expired()
