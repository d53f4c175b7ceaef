"""A router at work: the listening socket, the connections on it, and the table they follow."""

import asyncio
import errno
import socket
from contextlib import suppress

from paas.domain.route import RoutingTable
from paas.router.access_log import AccessLog, Lines
from paas.router.balancer import Balancer
from paas.router.connection import ClientConnection
from paas.router.context import Context
from paas.router.limits import Limits
from paas.router.loop import READ, running_loop
from paas.router.metrics import Counts

_ACCEPTS = 64
"""Connections accepted in one turn: those that are there already want to be served too."""
_FULL = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_FULL_SECONDS = 0.2


class RouterServer:
    """Accepts connections and forwards their requests; made and used on one RouterLoop."""

    def __init__(self, listener: socket.socket, *, lines: Lines, limits: Limits | None = None) -> None:
        loop = running_loop()
        limits = limits or Limits()
        self.listener = listener
        self.balancer = Balancer(limits=limits, loop=loop)
        self._context = Context(
            loop=loop, limits=limits, balancer=self.balancer, log=AccessLog(lines, loop=loop)
        )
        self._port: int = listener.getsockname()[1]
        self._clients: set[ClientConnection] = set()
        self._accepting = False
        self._last_gone = asyncio.Event()

    def apply(self, table: RoutingTable) -> int:
        """Follow `table` from now on; return the version followed, which is never lower than before."""
        return self.balancer.apply(table)

    def start(self) -> None:
        """Accept connections."""
        self.listener.setblocking(False)
        # Inherited by every connection: what is written is whole, and waits for nothing.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accept_on()

    async def stop(self) -> None:
        """Accept no more, finish what is in flight for a few seconds, cut the rest."""
        self._context.stopping = True
        self._accept_off()
        for client in tuple(self._clients):
            client.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._context.limits.stop):
                await self._emptied()
        for client in tuple(self._clients):
            client.cut()
        self.balancer.close()
        self._context.log.close()
        await asyncio.sleep(0)  # Connections are lost on the loop's next turn.

    def metrics(self) -> Counts:
        """Return everything that is counted."""
        return {
            "version": self.balancer.version,
            "connections": len(self._clients),
            "apps": self.balancer.counts(),
            "unrouted": self._context.unrouted.counts(),
        }

    # -- the listening socket ---------------------------------------------------------------------------------
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
                    self._context.loop.call_later(_FULL_SECONDS, self._accept_on)
                    return
                continue  # It has gone again.
            sock.setblocking(False)
            client = ClientConnection(self._context, sock, peer=peer[0], port=self._port, gone=self._gone)
            self._clients.add(client)

    def failed(self) -> None:
        """A connection could not be set up; the others are accepted as before."""

    def _accept_on(self) -> None:
        if not self._accepting and not self._context.stopping:
            self._accepting = True
            self._context.loop.direct.watch(self.listener.fileno(), READ, self)

    def _accept_off(self) -> None:
        if self._accepting:
            self._accepting = False
            self._context.loop.direct.forget(self.listener.fileno())

    # -- its clients ------------------------------------------------------------------------------------------
    def _gone(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._last_gone.set()

    async def _emptied(self) -> None:
        while self._clients:
            self._last_gone.clear()
            await self._last_gone.wait()
