"""The router's event loop: asyncio's own for all that is rare, and under it a straight way from epoll to the sockets
that HTTP comes over. It never reads or writes one itself: `Wire` does.
"""

import asyncio
import contextvars
import logging
import select
import selectors
import time
from collections.abc import Callable
from typing import Protocol, TypeVarTuple, Unpack

log = logging.getLogger(__name__)

Ts = TypeVarTuple("Ts")

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Watched(Protocol):
    """Whoever a watched descriptor belongs to."""

    def ready(self, events: int) -> None:
        """Serve epoll's events. They may be over by now: it tries, and takes EAGAIN for an answer."""
        ...

    def failed(self) -> None:
        """`ready` has raised something: give up what it belongs to."""
        ...


class DirectSelector(selectors.EpollSelector):
    """What asyncio waits with. Watched sockets are served while it waits; asyncio hears of its own descriptors alone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = time.monotonic()
        """The time of the last turn: that of everything that happens in it."""
        self.disturbed = False
        """Whether asyncio has got something to do meanwhile."""
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {self.fileno(): self}
        self._epoll.register(self.fileno(), READ)

    def watch(self, fd: int, events: int, watched: Watched) -> None:
        """Tell `watched` of `events` of `fd`, for as long as there are any: level-triggered."""
        self._epoll.register(fd, events)
        self._watched[fd] = watched

    def change(self, fd: int, events: int) -> None:
        """Watch for other events than before."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Watch it no more; called before it is closed."""
        del self._watched[fd]
        self._epoll.unregister(fd)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return asyncio's events, once there are any, asyncio has something to do, or `timeout` is over."""
        wait = -1.0 if timeout is None else timeout
        until = time.monotonic() + wait if wait > 0 else 0.0
        self.disturbed = False
        while events := self._epoll.poll(wait):
            self.now = time.monotonic()
            self._serve(events)
            if self.disturbed or wait == 0:
                return super().select(0)
            if wait > 0:
                wait = max(0.0, until - self.now)
        self.now = time.monotonic()
        return []

    def close(self) -> None:
        self._epoll.close()
        super().close()

    def _serve(self, events: list[tuple[int, int]]) -> None:
        everyone = self._watched
        for fd, event in events:
            watched = everyone.get(fd)
            if watched is None:
                continue  # It was closed earlier in this turn.
            try:
                watched.ready(event)
            except Exception:  # the boundary: a fault in one connection must not end all the others
                log.exception("a connection failed", extra={"fd": fd})
                watched.failed()

    def ready(self, events: int) -> None:
        """Asyncio's own descriptors have events."""
        self.disturbed = events != 0

    def failed(self) -> None:
        """Never: to be ready takes no more than an assignment."""


class RouterLoop(asyncio.SelectorEventLoop):
    """asyncio's loop over a DirectSelector, which it tells when there is something to do for asyncio itself."""

    def __init__(self) -> None:
        self.direct = DirectSelector()
        super().__init__(self.direct)

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        self.direct.disturbed = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self.direct.disturbed = True
        return super().call_at(when, callback, *args, context=context)


def running_loop() -> RouterLoop:
    """Return the loop that runs; the router's parts work on a RouterLoop alone."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, RouterLoop):
        raise TypeError("the router runs on a RouterLoop")
    return loop
