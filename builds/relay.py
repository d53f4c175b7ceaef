"""Lines from a thread to the event loop: in order, and never far ahead of what the loop has taken."""

import asyncio
from collections.abc import Callable
from threading import Event

_AHEAD = 256
_WAIT_LIMIT = 60.0


class Relay:
    """Make it on the loop, call it on one thread; `say` then gets each line on the loop."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._ahead = 0

    def __call__(self, line: str) -> None:
        self._loop.call_soon_threadsafe(self._say, line)
        self._ahead += 1
        if self._ahead == _AHEAD:
            self._ahead = 0
            caught_up = Event()
            self._loop.call_soon_threadsafe(caught_up.set)
            caught_up.wait(_WAIT_LIMIT)
