"""A door: a listening socket of the router, whose connections are taken as they come. It never reads from one."""

import errno
import socket
from collections.abc import Callable

from paas.router.loop import READ, RouterLoop

_ACCEPTS = 64
"""Connections accepted in one turn: those that are there already want to be served too."""
_FULL = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_FULL_SECONDS = 0.2


class Door:
    """One listening socket. `opened` gets each connection, with the address of its other side."""

    def __init__(
        self, listener: socket.socket, *, loop: RouterLoop, opened: Callable[[socket.socket, str], None]
    ) -> None:
        self.listener = listener
        self.port: int = listener.getsockname()[1]
        self._loop = loop
        self._opened = opened
        self._closed = False
        self._accepting = False

    def open(self) -> None:
        """Accept connections."""
        self.listener.setblocking(False)
        # Inherited by every connection: what is written is whole, and waits for nothing.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accept_on()

    def close(self) -> None:
        """Accept no more; the socket itself stays open, with its backlog, for the next router."""
        self._closed = True
        self._accept_off()

    def ready(self, _events: int) -> None:
        """Connections wait to be accepted."""
        for _ in range(_ACCEPTS):
            try:
                sock, peer = self.listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _FULL:
                    self._accept_off()
                    self._loop.call_later(_FULL_SECONDS, self._accept_on)
                    return
                continue  # It has gone again.
            sock.setblocking(False)
            self._opened(sock, peer[0])

    def failed(self) -> None:
        """A connection could not be set up; the others are accepted as before."""

    def _accept_on(self) -> None:
        if not self._accepting and not self._closed:
            self._accepting = True
            self._loop.direct.watch(self.listener.fileno(), READ, self)

    def _accept_off(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.direct.forget(self.listener.fileno())
