"""The router processes of one server: the listening sockets, kept here so that their backlog outlives them, and a
process that is started again at once when it ends. It never forwards a byte itself.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from paas.clock import Clock
from paas.domain.ids import InstanceId
from paas.domain.route import RoutingTable
from paas.errors import InvalidError, PaasError, UnreachableError
from paas.router.client import Answer, RouterClient
from paas.router.listener import Listeners, bind, bound_address
from paas.router.process import RouterProcess, router_argv
from paas.router.table import load, write_atomically
from paas.settings import DEFAULT_HTTPS, Address, Settings
from paas.threads import in_thread

T = TypeVar("T")

log = logging.getLogger(__name__)

_STOP_LIMIT = 10.0
_STEADY = 1.0
"""A router that lived this long is restarted at once; one that keeps dying, a little later each time."""
_LONGEST_PAUSE = 0.5


class Routers:
    """Starts, adopts, watches and feeds the routers. Used on one event loop, between `start` and `stop`/`detach`."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        log_fifo: Callable[[str], Path],
        count: int = 1,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log_fifo = log_fifo
        self._clients = [RouterClient(settings.router_socket(index)) for index in range(count)]
        self._processes: list[RouterProcess | None] = [None] * count
        self._keepers: list[asyncio.Task[None]] = []
        self._listeners: Listeners | None = None
        self._publishing = asyncio.Lock()
        self._table = RoutingTable(version=0)
        self._offset: int | None = None

    @property
    def address(self) -> Address:
        """Where HTTP is listened for, as bound."""
        return bound_address(self._listening().http)

    @property
    def https(self) -> Address | None:
        """Where HTTPS is listened for, as bound; None where it is not."""
        https = self._listening().https
        return bound_address(https) if https is not None else None

    @property
    def pids(self) -> list[int]:
        """The routers that run now."""
        return [process.pid for process in self._living()]

    async def start(self) -> None:
        """Have every router running: take up those that an earlier control plane left, start the others.

        Raises InvalidError where the address cannot be listened on, PaasError where a router does not come up.
        """
        for folder in (
            self._settings.runtime,
            self._settings.server_logs,
            self._settings.router_socket(0).parent,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._table = await self._last_table()
        for index, client in enumerate(self._clients):
            with suppress(UnreachableError):
                self._processes[index] = await RouterProcess.find(client)
        self._listeners = await self._take_listeners() or _bind(self._settings)
        for index, process in enumerate(self._processes):
            if process is None:
                await self._start(index)
        await asyncio.gather(*(self._push(index) for index in range(len(self._clients))))
        self._keepers = [asyncio.create_task(self._keep(index)) for index in range(len(self._clients))]

    async def publish(self, table: RoutingTable) -> None:
        """Make `table` the routing table; return once every living router follows it.

        A table older than one already published is ignored.
        """
        async with self._publishing:
            numbered = self._numbered(table)
            if numbered.version <= self._table.version:
                return
            await in_thread(write_atomically, numbered, self._settings.routing_table)
            self._table = numbered
            await asyncio.gather(*(self._push(index) for index in range(len(self._clients))))

    async def in_flight(self) -> Mapping[InstanceId, int]:
        """Return what is under way per backend over all routers, draining ones included."""
        total: Counter[InstanceId] = Counter()
        for counts in await self._ask_all(lambda client: client.in_flight()):
            total.update(counts)
        return total

    async def close_backends(self, instances: Collection[InstanceId]) -> None:
        """Cut what is still under way on these backends: the end of a drain."""
        await self._ask_all(lambda client: client.close_backends(instances))

    async def metrics(self) -> list[Answer]:
        """Return every router's counters."""
        return await self._ask_all(lambda client: client.metrics())

    async def stop(self) -> None:
        """End every router: it accepts no more and finishes what is in flight for a few seconds."""
        await self._end_keepers()
        for process in self._living():
            process.terminate()
        for process in self._living():
            try:
                async with asyncio.timeout(_STOP_LIMIT):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        for client_index in range(len(self._clients)):
            self._settings.router_socket(client_index).unlink(missing_ok=True)
        self._let_go()

    async def detach(self) -> None:
        """Leave the routers running, for the next control plane to take up."""
        await self._end_keepers()
        self._let_go()

    # -- the listening sockets --------------------------------------------------------------------------------
    async def _take_listeners(self) -> Listeners | None:
        """Return the sockets of a living router; where they are not those asked for, end the routers instead."""
        for index in range(len(self._clients)):
            if self._processes[index] is None:
                continue
            with suppress(UnreachableError):
                listeners = await self._clients[index].listeners()
                if _are_wanted(listeners, self._settings):
                    return listeners
                listeners.close()
                await self._end_found()
                return None
        return None

    async def _end_found(self) -> None:
        for index, process in enumerate(self._processes):
            if process is not None:
                process.terminate()
                await process.wait()
                process.close()
                self._processes[index] = None

    def _listening(self) -> Listeners:
        if self._listeners is None:
            raise PaasError("The router does not listen: it was not started. Look into `mini server logs`.")
        return self._listeners

    # -- processes --------------------------------------------------------------------------------------------
    async def _start(self, index: int) -> None:
        self._processes[index] = await RouterProcess.start(
            router_argv(self._settings, index=index, log_fifo=self._log_fifo(f"router-{index}")),
            listeners=self._listening(),
            output=self._settings.server_logs / "router.log",
        )

    async def _keep(self, index: int) -> None:
        """Start the router again whenever it ends, for as long as this task lives."""
        pause = 0.0
        while True:
            process = self._processes[index]
            began = self._clock.monotonic()
            if process is not None:
                await process.wait()
                process.close()
                self._processes[index] = None
                log.warning("router ended, starting it again", extra={"index": index, "pid": process.pid})
            steady = process is not None and self._clock.monotonic() - began >= _STEADY
            if not steady and pause:
                await self._clock.sleep(pause)
            pause = 0.0 if steady else min(_LONGEST_PAUSE, pause * 2 or 0.05)
            try:
                await self._start(index)
                async with self._publishing:
                    await self._push(index)  # It may have read its file just before the last change.
            except PaasError:
                log.exception("router did not start", extra={"index": index})

    async def _end_keepers(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []

    def _living(self) -> list[RouterProcess]:
        return [process for process in self._processes if process is not None and not process.ended]

    def _let_go(self) -> None:
        for index, process in enumerate(self._processes):
            if process is not None:
                process.close()
            self._processes[index] = None
        if self._listeners is not None:
            self._listeners.close()
            self._listeners = None

    # -- the table --------------------------------------------------------------------------------------------
    async def _last_table(self) -> RoutingTable:
        try:
            return await in_thread(load, self._settings.routing_table)
        except InvalidError:
            log.exception("the routing table's file cannot be read; the next publish writes it anew")
            return RoutingTable(version=0)

    def _numbered(self, table: RoutingTable) -> RoutingTable:
        # A new control plane may count from 1 again, while the routers go on from where they were.
        if self._offset is None:
            self._offset = max(0, self._table.version + 1 - table.version)
        return replace(table, version=table.version + self._offset) if self._offset else table

    async def _push(self, index: int) -> None:
        process = self._processes[index]
        if process is None or process.ended:
            return
        try:
            await self._clients[index].push(self._table)
        except UnreachableError:
            # It must not serve an old table: its successor reads the new one from the file.
            log.warning("router does not take its table, ending it", extra={"index": index})
            process.kill()
            await process.wait()

    async def _ask_all(self, ask: Callable[[RouterClient], Coroutine[None, None, T]]) -> list[T]:
        answers = await asyncio.gather(
            *(ask(client) for client, process in zip(self._clients, self._processes, strict=True) if process),
            return_exceptions=True,
        )
        return [answer for answer in answers if not isinstance(answer, BaseException)]


def _bind(settings: Settings) -> Listeners:
    http = bind(settings.http)
    try:
        return Listeners(http, _bind_https(settings.https))
    except InvalidError:
        http.close()
        raise


def _bind_https(address: Address | None) -> socket.socket | None:
    if address is None:
        return None
    try:
        return bind(address, option="--https")
    except InvalidError as error:
        if address != DEFAULT_HTTPS:
            raise
        # Nobody asked for it: another server of this machine may well have it.
        log.warning("there is no HTTPS: %s", error.message)
        return None


def _are_wanted(found: Listeners, settings: Settings) -> bool:
    if not _satisfies(bound_address(found.http), settings.http):
        return False
    if settings.https is None or found.https is None:
        return found.https is None and settings.https in (None, DEFAULT_HTTPS)
    return _satisfies(bound_address(found.https), settings.https)


def _satisfies(bound: Address, wanted: Address) -> bool:
    return wanted.port in (0, bound.port) and (wanted.host == bound.host or wanted.host == "localhost")
