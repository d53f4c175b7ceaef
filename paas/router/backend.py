"""One backend as the router knows it: who is on it, its unused connections, and whether it refused of late.

It never chooses: the balancer does.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

from paas.domain.ids import AppId
from paas.domain.route import Backend
from paas.router.access_line import line_backend
from paas.router.head import whole_head
from paas.router.limits import Limits
from paas.router.loop import RouterLoop
from paas.router.metrics import Metrics
from paas.router.plain import PlainAnswer, plain_answer, plain_answer_by_steps
from paas.router.ports import Rider
from paas.router.wire import Address, Wire, begin_connect, connect

_OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL))


class BackendConnection:
    """One connection to a backend: in use by one rider, or unused."""

    __slots__ = ("_backend", "reused", "rider", "unused_since", "wire", "write")

    def __init__(self, backend: "LiveBackend", sock: socket.socket, *, loop: RouterLoop) -> None:
        self._backend = backend
        self.wire = Wire(loop, sock, self)
        self.write: Callable[[bytes], None] = self.wire.write
        """Send, or hold until the backend reads; its rider is told when that is too much."""
        self.rider: Rider | None = None
        self.reused = False
        self.unused_since = 0.0

    # -- what the wire does -----------------------------------------------------------------------------------
    def received(self, data: bytes) -> None:
        if self.rider is None:
            self.close()  # Nobody asked: the next answer on it could be anyone's.
        else:
            self.rider.from_backend(data)

    def other_side_ended(self) -> bool:
        if self.rider is not None:
            self.rider.backend_ended()
        # A rider that is still on it after the end wants to go on sending: an upgraded connection.
        return self.rider is not None

    def wire_lost(self, error: OSError | None) -> None:
        self._backend.forget(self)
        # What it had sent before it reset the connection is often the answer to an upload that it did not want to
        # the end: our own write fails first.
        if self.rider is not None and error is not None and (late := self.wire.late()):
            self.rider.from_backend(late)
        rider, self.rider = self.rider, None
        if rider is not None:
            rider.backend_lost(error)

    def wire_full(self) -> None:
        if self.rider is not None:
            self.rider.backend_full()

    def wire_free(self) -> None:
        if self.rider is not None:
            self.rider.backend_ready()

    # -- what its rider does ----------------------------------------------------------------------------------
    def end(self) -> None:
        """Tell the backend that nothing more comes."""
        self.wire.end()

    def pause(self) -> None:
        """Read no more for now."""
        self.wire.pause()

    def resume(self) -> None:
        """Read on."""
        self.wire.resume()

    def close(self) -> None:
        """Give it up at once, with what was not sent yet. Its rider is not told."""
        self.rider = None
        self.wire.abort()

    def finish(self) -> None:
        """Close it once everything was sent."""
        self.rider = None
        self.wire.close()

    @property
    def usable(self) -> bool:
        """Whether a request may be sent on it: open, and nothing left to send."""
        return not self.wire.closing and not self.wire.unsent


class LiveBackend:
    """A backend with what the router knows of it."""

    def __init__(self, backend: Backend, *, app: AppId, limits: Limits, loop: RouterLoop) -> None:
        self.backend = backend
        self.app = app
        self.name = backend.name
        self.riders: set[Rider] = set()
        self.metrics = Metrics()
        self.draining = False
        self._address = _split(backend.address)
        self._limits = limits
        self._loop = loop
        self._clock = loop.direct
        self._unused: list[BackendConnection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self.is_aside = False
        """Whether it refused a connection just now. Once that time is over, the next request tries it again."""
        self.logged = line_backend(backend.name, 0.0)
        """Its piece of the access log's lines, where a connection was kept."""
        self.last_answer: PlainAnswer | None = None

    def refused(self, error: OSError) -> bool:
        """Set it aside if `error` says that it refused a connection; return whether it does, or we are short of
        something ourselves."""
        if error.errno in _OURS:
            return False
        self.set_aside()
        return True

    def set_aside(self) -> None:
        """Give it no request for a moment."""
        if not self.is_aside:
            self.is_aside = True
            self._loop.call_later(self._limits.aside, self._take_back)

    def answer(self, data: bytes) -> PlainAnswer | None:
        """Return the plain answer that `data` begins with, which is `last_answer` then; None where it is not plain;
        raises MalformedError."""
        answer = plain_answer(data) or plain_answer_by_steps(whole_head(data))
        if answer is not None:
            self.last_answer = answer
        return answer

    def take_unused(self) -> BackendConnection | None:
        """Return the connection used last, which is the likeliest to live; None where there is none."""
        unused = self._unused
        while unused:
            connection = unused.pop()
            wire = connection.wire
            if not wire.closing and not wire.unsent:
                connection.reused = True
                return connection
        return None

    def connect_at_once(self) -> BackendConnection | None:
        """Return a fresh connection; None where that takes a while, or where it is refused."""
        try:
            sock, arrived = begin_connect(self._address)
        except OSError as error:
            self.refused(error)
            return None
        if arrived:
            return self._connected(sock)
        sock.close()
        return None

    async def connect(self) -> BackendConnection:
        """Return a fresh connection; raises OSError where it is refused, TimeoutError where nobody answers."""
        async with asyncio.timeout(self._limits.connect):
            return self._connected(await connect(self._loop, self._address))

    def give_back(self, connection: BackendConnection) -> None:
        """Keep a connection for the next request, or close it."""
        connection.rider = None
        wire = connection.wire
        if self.draining or wire.closing or wire.unsent or len(self._unused) >= self._limits.idle_connections:
            connection.close()
            return
        if wire.paused:
            wire.resume()
        connection.unused_since = self._clock.now
        self._unused.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._limits.backend_idle, self._close_idle)

    def forget(self, connection: BackendConnection) -> None:
        """Take a connection that has ended out of the unused ones."""
        if connection in self._unused:
            self._unused.remove(connection)

    def drain(self) -> None:
        """Take no more requests; what is under way goes on."""
        self.draining = True
        self.close_unused()

    def close_unused(self) -> None:
        """Close every connection that nobody is on."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        unused, self._unused = self._unused, []
        for connection in unused:
            connection.close()

    def _connected(self, sock: socket.socket) -> BackendConnection:
        if (spare := self.take_unused()) is not None:
            spare.close()  # Its place is taken: requests that need fresh connections add none to the pool.
        self.is_aside = False
        return BackendConnection(self, sock, loop=self._loop)

    def _take_back(self) -> None:
        self.is_aside = False

    def _close_idle(self) -> None:
        oldest = self._loop.time() - self._limits.backend_idle
        idle = [connection for connection in self._unused if connection.unused_since <= oldest]
        self._unused = self._unused[len(idle) :]  # used last stands last: the idle ones are in front
        for connection in idle:
            connection.close()
        self._sweep = None
        if self._unused:
            due = self._unused[0].unused_since + self._limits.backend_idle
            self._sweep = self._loop.call_at(due, self._close_idle)


def _split(address: str) -> Address:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
