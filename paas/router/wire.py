"""A connected TCP socket that never blocks: what comes in is given to its user at once, what the other side does not
take is held for it. It never looks into the bytes.
"""

import errno
import fcntl
import os
import socket
import struct
import termios
from collections import deque
from contextlib import suppress
from typing import Protocol

from paas.router.loop import READ, WRITE, RouterLoop

_HIGH_WATER = 64 * 1024
"""Held bytes over which its user is asked to write no more …"""
_LOW_WATER = 16 * 1024
"""… and under which it may again."""
_BLOCK = 16 * 1024
_BIG_BLOCK = 256 * 1024
_LATE_LIMIT = 256 * 1024

Address = tuple[str, int]

_NOT_NOW = (BlockingIOError, InterruptedError)


class User(Protocol):
    """Whoever a wire belongs to. `wire_lost` comes once, last, and never from within a call of the user's."""

    def received(self, data: bytes) -> None: ...

    def other_side_ended(self) -> bool:
        """No more comes in. Return whether more will go out; the wire is closed otherwise."""
        ...

    def wire_lost(self, error: OSError | None) -> None: ...

    def wire_full(self) -> None:
        """The other side does not read: write no more for now."""
        ...

    def wire_free(self) -> None: ...


class Wire:
    """One socket with the bytes that wait to be sent on it."""

    __slots__ = (
        "_block",
        "_ended",
        "_ending",
        "_fd",
        "_full",
        "_held",
        "_interest",
        "_loop",
        "_lost",
        "_recv",
        "_send",
        "_socket",
        "_user",
        "closing",
        "paused",
        "unsent",
    )

    def __init__(self, loop: RouterLoop, sock: socket.socket, user: User) -> None:
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._recv = sock.recv
        self._send = sock.send
        self._user = user
        self._block = _BLOCK
        self._held: deque[memoryview] = deque()
        self.unsent = 0
        """Bytes that are held."""
        self._full = False
        self.paused = False
        """Whether nothing is read for now, or ever again."""
        self._ended = False
        self._ending = False
        self.closing = False
        """Whether it takes no more bytes to send."""
        self._lost = False
        self._interest = READ
        loop.direct.watch(self._fd, READ, self)

    # -- in ---------------------------------------------------------------------------------------------------
    def ready(self, events: int) -> None:
        """Epoll has events for it."""
        if events & WRITE:
            self._flush()
        if self.paused or events == WRITE:
            return
        try:
            data = self._recv(self._block)
        except _NOT_NOW:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            if len(data) == self._block:
                self._block = _BIG_BLOCK
            self._user.received(data)
        else:
            self._other_side_ended()

    def failed(self) -> None:
        """Its user has raised something: end it."""
        self.abort()

    def _other_side_ended(self) -> None:
        self.paused = self._ended = True
        self._watch()
        if not self._user.other_side_ended():
            self.close()

    def pause(self) -> None:
        """Read no more for now."""
        if not self.paused:
            self.paused = True
            self._watch()

    def resume(self) -> None:
        """Read on."""
        if self.paused and not self.closing and not self._ended:
            self.paused = False
            self._watch()

    # -- out --------------------------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        """Send, or hold what the other side does not take yet."""
        if self.closing or not data:
            return
        sent = 0
        if not self.unsent:
            try:
                sent = self._send(data)
            except _NOT_NOW:
                pass
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
        self._hold(memoryview(data)[sent:])

    def end(self) -> None:
        """Tell the other side that nothing more comes, once all is sent."""
        if not self.closing and not self._ending:
            self._ending = True
            if not self.unsent:
                self._shut()

    def close(self) -> None:
        """Close it once all is sent."""
        if not self.closing:
            self.closing = self.paused = True
            if self.unsent:
                self._watch()
            else:
                self._lose(None)

    def abort(self) -> None:
        """Close it now."""
        self._held.clear()
        self.unsent = 0
        self._lose(None)

    def unread(self) -> int:
        """Return how many bytes the other side has not taken yet, those in the kernel included."""
        if self._lost:
            return 0
        (queued,) = struct.unpack("i", fcntl.ioctl(self._fd, termios.TIOCOUTQ, b"\0" * 4))
        return self.unsent + int(queued)

    def late(self) -> bytes:
        """Return what had come in before the wire was lost; called from `wire_lost`."""
        received = b""
        with suppress(OSError):
            while len(received) < _LATE_LIMIT and (block := self._recv(_LATE_LIMIT)):
                received += block
        return received

    def _hold(self, data: memoryview) -> None:
        self._held.append(data)
        self.unsent += len(data)
        self._watch()
        if self.unsent > _HIGH_WATER and not self._full:
            self._full = True
            self._user.wire_full()

    def _flush(self) -> None:
        try:
            while self._held:
                first = self._held[0]
                sent = self._send(first)
                self.unsent -= sent
                if sent < len(first):
                    self._held[0] = first[sent:]
                    break
                self._held.popleft()
        except _NOT_NOW:
            pass
        except OSError as error:
            self._lose(error)
            return
        self._flushed()

    def _flushed(self) -> None:
        if not self.unsent:
            self._watch()
            if self.closing:
                self._lose(None)
                return
            if self._ending:
                self._shut()
        if self._full and self.unsent <= _LOW_WATER:
            self._full = False
            self._user.wire_free()

    def _shut(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    # -- the end ----------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        wanted = (0 if self.paused else READ) | (WRITE if self.unsent else 0)
        if wanted == self._interest or self._lost:
            return
        # Never watched for nothing: epoll tells of errors unasked, again and again.
        if not wanted:
            self._loop.direct.forget(self._fd)
        elif not self._interest:
            self._loop.direct.watch(self._fd, wanted, self)
        else:
            self._loop.direct.change(self._fd, wanted)
        self._interest = wanted

    def _lose(self, error: OSError | None) -> None:
        if self._lost:
            return
        self.closing = self.paused = self._lost = True
        if self._interest:
            self._loop.direct.forget(self._fd)
            self._interest = 0
        self._loop.call_soon(self._tell, error)

    def _tell(self, error: OSError | None) -> None:
        try:
            self._user.wire_lost(error)
        finally:
            self._socket.close()


def begin_connect(address: Address) -> tuple[socket.socket, bool]:
    """Return a socket on its way to `address`, and whether it has arrived: to this machine it has at once, since the
    kernel shakes hands with itself within the call. Raises OSError where it is refused."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        code = sock.connect_ex(address)  # the first call never says that it has arrived
    if code not in (0, errno.EINPROGRESS, errno.EALREADY):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock, code == 0


async def connect(loop: RouterLoop, address: Address) -> socket.socket:
    """Return a socket connected to `address`; raises OSError where it is refused."""
    sock, arrived = begin_connect(address)
    try:
        if not arrived:
            await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
