"""A router at work: the listening socket, the connections on it, and the table they follow."""

import asyncio
import socket
from contextlib import suppress

from paas.domain.route import RoutingTable
from paas.router.access_log import AccessLog, Lines
from paas.router.balancer import Balancer
from paas.router.connection import ClientConnection
from paas.router.context import Context
from paas.router.limits import Limits
from paas.router.metrics import Counts

_BACKLOG = 4096


class RouterServer:
    """Accepts connections and forwards their requests; made and used on one event loop."""

    def __init__(self, listener: socket.socket, *, lines: Lines, limits: Limits | None = None) -> None:
        loop = asyncio.get_running_loop()
        limits = limits or Limits()
        self.listener = listener
        self.balancer = Balancer(limits=limits, loop=loop)
        self._context = Context(
            loop=loop, limits=limits, balancer=self.balancer, log=AccessLog(lines, loop=loop)
        )
        self._clients: set[ClientConnection] = set()
        self._server: asyncio.Server | None = None
        self._last_gone = asyncio.Event()

    def apply(self, table: RoutingTable) -> int:
        """Follow `table` from now on; return the version followed, which is never lower than before."""
        return self.balancer.apply(table)

    async def start(self) -> None:
        """Accept connections."""
        own = self.listener.dup()  # asyncio closes what it is given; the socket itself outlives this server.
        self._server = await self._context.loop.create_server(self._accept, sock=own, backlog=_BACKLOG)

    async def stop(self) -> None:
        """Accept no more, finish what is in flight for a few seconds, cut the rest."""
        self._context.stopping = True
        if self._server is not None:
            self._server.close()
        for client in tuple(self._clients):
            client.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._context.limits.stop):
                await self._emptied()
        for client in tuple(self._clients):
            client.cut()
        self.balancer.close()
        self._context.log.close()
        await asyncio.sleep(0)  # Transports close on the loop's next turn.

    def metrics(self) -> Counts:
        """Return everything that is counted."""
        return {
            "version": self.balancer.version,
            "connections": len(self._clients),
            "apps": self.balancer.counts(),
            "unrouted": self._context.unrouted.counts(),
        }

    def _accept(self) -> ClientConnection:
        client = ClientConnection(self._context, self._gone)
        self._clients.add(client)
        return client

    def _gone(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._last_gone.set()

    async def _emptied(self) -> None:
        while self._clients:
            self._last_gone.clear()
            await self._last_gone.wait()
