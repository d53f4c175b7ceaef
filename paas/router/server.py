"""A router at work: the doors that connections come through, the connections, and the table they follow."""

import asyncio
import socket
from contextlib import suppress

from paas.domain.route import RoutingTable
from paas.router.access_log import AccessLog, Lines
from paas.router.balancer import Balancer
from paas.router.connection import ClientConnection
from paas.router.context import Context
from paas.router.deadline import Deadlines
from paas.router.door import Door
from paas.router.limits import Limits
from paas.router.listener import Listeners
from paas.router.loop import running_loop
from paas.router.metrics import Counts
from paas.router.tls import Certificates


class RouterServer:
    """Accepts connections and forwards their requests; made and used on one RouterLoop."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        lines: Lines,
        limits: Limits | None = None,
        https: socket.socket | None = None,
    ) -> None:
        loop = running_loop()
        limits = limits or Limits()
        self.balancer = Balancer(limits=limits, loop=loop)
        self._context = Context(
            loop=loop,
            limits=limits,
            balancer=self.balancer,
            log=AccessLog(lines, loop=loop),
            deadlines=Deadlines(loop, tick=limits.tick),
        )
        self._certificates = Certificates()
        self._http = Door(listener, loop=loop, opened=self._opened)
        self._https = Door(https, loop=loop, opened=self._opened_securely) if https else None
        self._clients: set[ClientConnection] = set()
        self._last_gone = asyncio.Event()
        self._retiring = asyncio.Event()

    def apply(self, table: RoutingTable) -> int:
        """Follow `table` from now on; return the version followed, which is never lower than before."""
        if self._https is not None and table.version >= self.balancer.version:
            self._certificates.apply(table)
        return self.balancer.apply(table)

    def start(self) -> None:
        """Accept connections."""
        for door in self._doors():
            door.open()

    def retire(self) -> None:
        """Accept no more: another router does. Each client is told with its next answer that it has to connect anew."""
        self._context.stopping = True
        for door in self._doors():
            door.close()
        self._retiring.set()

    @property
    def retiring(self) -> bool:
        """Whether it was told to retire."""
        return self._retiring.is_set()

    async def until_retired(self) -> None:
        """Return once it was told to retire, and its last client has gone or had the time to."""
        await self._retiring.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._context.limits.retire):
                await self._emptied()

    async def stop(self) -> None:
        """Accept no more, finish what is in flight for a few seconds, cut the rest."""
        self._context.stopping = self._context.ending = True
        for door in self._doors():
            door.close()
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

    @property
    def listeners(self) -> Listeners:
        """The sockets that it accepts connections on."""
        return Listeners(self._http.listener, self._https.listener if self._https else None)

    def metrics(self) -> Counts:
        """Return everything that is counted."""
        return {
            "version": self.balancer.version,
            "connections": len(self._clients),
            "apps": self.balancer.counts(),
            "unrouted": self._context.unrouted.counts(),
        }

    # -- its clients ------------------------------------------------------------------------------------------
    def _opened(self, sock: socket.socket, peer: str) -> None:
        self._clients.add(
            ClientConnection(
                self._context, sock, peer=peer, port=self._http.port, secure=False, gone=self._gone
            )
        )

    def _opened_securely(self, sock: socket.socket, peer: str) -> None:
        port: int = sock.getsockname()[1]
        try:
            secured = self._certificates.wrap(sock)
        except OSError:
            sock.close()  # It has gone again.
            return
        self._clients.add(
            ClientConnection(self._context, secured, peer=peer, port=port, secure=True, gone=self._gone)
        )

    def _gone(self, client: ClientConnection) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._last_gone.set()

    def _doors(self) -> list[Door]:
        return [self._http, self._https] if self._https else [self._http]

    async def _emptied(self) -> None:
        while self._clients:
            self._last_gone.clear()
            await self._last_gone.wait()
