"""One moving deadline per connection. Setting it costs an assignment: none has a timer of its own, all of a router are
looked over together a few times a second.
"""

import asyncio
import logging
from collections.abc import Callable
from math import inf

from paas.router.loop import RouterLoop

log = logging.getLogger(__name__)


class Deadline:
    """Calls `expired` once, when the time set last has been over for no more than a tick."""

    __slots__ = ("_clock", "at", "expired", "failed")

    def __init__(self, loop: RouterLoop, expired: Callable[[], None], *, failed: Callable[[], None]) -> None:
        self._clock = loop.direct
        self.expired = expired
        self.failed = failed
        """Called where `expired` raises something: gives up what the deadline is of."""
        self.at = inf
        """When it is, by the loop's clock; infinite while there is none."""

    def set(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now; that may be done again and again, by `expired` too."""
        self.at = self._clock.now + seconds


class Deadlines:
    """The deadlines of one router. While it has none, no timer runs."""

    def __init__(self, loop: RouterLoop, *, tick: float) -> None:
        self._loop = loop
        self._tick = tick
        self._open: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def open(self, expired: Callable[[], None], *, failed: Callable[[], None]) -> Deadline:
        """Return a deadline that is looked at until it is closed."""
        deadline = Deadline(self._loop, expired, failed=failed)
        self._open.add(deadline)
        if self._timer is None:
            self._timer = self._loop.call_later(self._tick, self._look)
        return deadline

    def close(self, deadline: Deadline) -> None:
        """Never call its `expired` again."""
        deadline.at = inf
        self._open.discard(deadline)

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._tick, self._look) if self._open else None
        now = self._loop.direct.now
        for deadline in [each for each in self._open if each.at <= now]:
            if deadline.at <= now:  # one before it may have closed it
                deadline.at = inf
                self._expire(deadline)

    def _expire(self, deadline: Deadline) -> None:
        try:
            deadline.expired()
        except Exception:  # the boundary: a fault in one connection must not keep the others waiting
            log.exception("a deadline failed")
            deadline.failed()
