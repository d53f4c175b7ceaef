"""The router processes of one server: the listening sockets, kept here so that their backlog outlives them, and a
process that is started again at once when it ends. It never forwards a byte itself.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import TypeVar

from paas import __version__
from paas.clock import Clock
from paas.domain.ids import InstanceId
from paas.domain.route import RoutingTable
from paas.errors import PaasError, UnreachableError
from paas.router.client import Answer, RouterClient
from paas.router.listener import Listeners, are_wanted, bind_all, bound_address
from paas.router.member import Member, find_members
from paas.router.process import RouterProcess, router_argv
from paas.router.table import last_table, write_atomically
from paas.settings import Address, Settings
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
        code: str = __version__,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log_fifo = log_fifo
        self._code = code
        self._members: list[Member] = []
        self._retiring: list[Member] = []
        """Routers that others have taken over from: they accept no more, and end once their clients have gone."""
        self._keepers: list[asyncio.Task[None]] = []
        self._listeners: Listeners | None = None
        self._publishing = asyncio.Lock()
        self._table = RoutingTable(version=0)
        self._is_written = True
        """Whether the file has the table, for the routers to come."""
        self.version = 0
        """The highest version that the file or a router has: the next table has to be above it."""

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
        """The routers that run now, retiring ones last."""
        return [process.pid for process in self._living()]

    async def start(self) -> None:
        """Have as many routers as are wanted: take up those of an earlier control plane, start the others. What is
        left over, or runs other code than this, retires.

        Raises InvalidError where the address cannot be listened on, PaasError where a router does not come up.
        """
        for folder in (
            self._settings.runtime,
            self._settings.server_logs,
            self._settings.router_socket(0).parent,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._table = await in_thread(last_table, self._settings.routing_table)
        found = await find_members(self._settings)
        # Routers may be ahead of the file: the disk did not take it, or it was damaged.
        self.version = max([self._table.version, *(about.version for _, about in found)])
        self._listeners = await self._take_listeners([member for member, _ in found])
        if self._listeners is None:
            await self._end([member for member, _ in found])
            found, self._listeners = [], bind_all(self._settings)
        fit = [member for member, about in found if about.code == self._code and not about.retiring]
        self._members = fit[: self._settings.routers]
        left_over = [member for member, _ in found if member not in self._members]
        taken = {member.slot for member, _ in found}
        for slot in islice(
            (slot for slot in count() if slot not in taken), self._settings.routers - len(self._members)
        ):
            member = Member.at(slot, self._settings)
            await self._start(member)
            self._members.append(member)
        self._retiring = left_over
        await asyncio.gather(*map(self._push, self._all()))
        self._keepers = [asyncio.create_task(self._keep(member)) for member in self._members]
        for member in left_over:
            await self._retire(member)

    async def publish(self, table: RoutingTable) -> None:
        """Make `table` the routing table; return once every living router follows it. May be repeated.

        A table older than one already published is ignored. One that the disk does not take is followed all the same:
        the file only serves routers to come, and each of those is told the newest table as soon as it has started.
        """
        async with self._publishing:
            if table.version < self.version:
                return
            self.version, self._table, self._is_written = table.version, table, False
            await self._write_down()
            await asyncio.gather(*map(self._push, self._all()))

    async def in_flight(self) -> Mapping[InstanceId, int]:
        """Return what is under way per backend over all routers, draining ones included.

        Raises UnreachableError where one that lives does not say: what it has must not pass for nothing.
        """
        total: Counter[InstanceId] = Counter()
        for counts in await asyncio.gather(*map(_in_flight_of, self._all())):
            total.update(counts)
        return total

    async def close_backends(self, instances: Collection[InstanceId]) -> None:
        """Cut what is still under way on these backends: the end of a drain."""
        await self._ask_all(lambda client: client.close_backends(instances))

    async def metrics(self) -> dict[int, Answer]:
        """Return the counters of every router that says them, by its place."""
        return await self._ask_all(lambda client: client.metrics())

    async def stop(self) -> None:
        """End every router: it accepts no more and finishes what is in flight for a few seconds."""
        await self._end_keepers()
        await self._end(self._all())
        self._let_go()

    async def detach(self) -> None:
        """Leave the routers running, for the next control plane to take up."""
        await self._end_keepers()
        self._let_go()

    # -- the listening sockets --------------------------------------------------------------------------------
    async def _take_listeners(self, found: Sequence[Member]) -> Listeners | None:
        """Return the sockets of a living router; None where there is none, or they are not those asked for."""
        for member in found:
            with suppress(UnreachableError):
                listeners = await member.client.listeners()
                if are_wanted(listeners, self._settings):
                    return listeners
                listeners.close()
                return None
        return None

    def _listening(self) -> Listeners:
        if self._listeners is None:
            raise PaasError("The router does not listen: it was not started. Look into `mini server logs`.")
        return self._listeners

    # -- processes --------------------------------------------------------------------------------------------
    async def _start(self, member: Member) -> None:
        fifo = self._log_fifo(f"router-{member.slot}")
        member.process = await RouterProcess.start(
            router_argv(self._settings, index=member.slot, code=self._code, log_fifo=fifo),
            listeners=self._listening(),
            output=self._settings.server_logs / "router.log",
        )

    async def _keep(self, member: Member) -> None:
        """Start the router again whenever it ends, for as long as this task lives."""
        pause = 0.0
        while True:
            process = member.process
            began = self._clock.monotonic()
            if process is not None:
                await process.wait()
                process.close()
                member.process = None
                log.warning(
                    "router ended, starting it again", extra={"index": member.slot, "pid": process.pid}
                )
            steady = process is not None and self._clock.monotonic() - began >= _STEADY
            if not steady and pause:
                await self._clock.sleep(pause)
            pause = 0.0 if steady else min(_LONGEST_PAUSE, pause * 2 or 0.05)
            try:
                await self._restart(member)
            except Exception:  # the boundary: a router that nobody keeps would be the last one in its place
                log.exception("router did not start", extra={"index": member.slot})

    async def _restart(self, member: Member) -> None:
        if not self._is_written:
            async with self._publishing:
                await self._write_down()
        await self._start(member)
        try:
            async with self._publishing:
                await self._push(member)  # It may have read its file just before the last change.
        except PaasError:  # nor may it go on with that
            if process := member.living:
                process.kill()
            raise

    async def _retire(self, member: Member) -> None:
        """Have a router retire. Until it has ended it follows the table like all others."""
        log.info("router retires", extra={"index": member.slot})
        if process := member.process:
            try:
                await member.client.retire()
            except UnreachableError:
                process.terminate()
            self._keepers.append(asyncio.create_task(self._see_off(member, process)))

    async def _see_off(self, member: Member, process: RouterProcess) -> None:
        await process.wait()
        self._retiring.remove(member)
        self._forget(member)

    async def _end(self, members: Sequence[Member]) -> None:
        """End routers, and return once they have: at the latest when their time is over."""
        for member in members:
            if process := member.living:
                process.terminate()
        for member in members:
            if process := member.living:
                try:
                    async with asyncio.timeout(_STOP_LIMIT):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
            self._forget(member)

    def _forget(self, member: Member) -> None:
        if member.process is not None:
            member.process.close()
            member.process = None
        self._settings.router_socket(member.slot).unlink(missing_ok=True)

    async def _end_keepers(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []

    def _all(self) -> list[Member]:
        return [*self._members, *self._retiring]

    def _living(self) -> list[RouterProcess]:
        return [process for member in self._all() if (process := member.living)]

    def _let_go(self) -> None:
        for member in self._all():
            if member.process is not None:
                member.process.close()
        self._members = []
        self._retiring = []
        if self._listeners is not None:
            self._listeners.close()
            self._listeners = None

    # -- the table --------------------------------------------------------------------------------------------
    async def _write_down(self) -> None:
        """Write the table for routers to come, unless the file has it; what stands against it is logged."""
        if self._is_written:
            return
        try:
            await in_thread(write_atomically, self._table, self._settings.routing_table)
        except OSError as error:
            about = {"version": self._table.version, "error": str(error)}
            log.warning("the routing table could not be written down", extra=about)
        else:
            self._is_written = True

    async def _push(self, member: Member) -> None:
        process = member.living
        if process is None:
            return
        try:
            await member.client.push(self._table)
        except UnreachableError:
            # It must not serve an old table: its successor reads the new one from the file.
            log.warning("router does not take its table, ending it", extra={"index": member.slot})
            process.kill()
            await process.wait()

    async def _ask_all(self, ask: Callable[[RouterClient], Coroutine[None, None, T]]) -> dict[int, T]:
        answers: dict[int, T] = {}

        async def note(member: Member) -> None:
            try:
                answers[member.slot] = await ask(member.client)
            except PaasError as error:
                log.warning("router does not answer: %s", error.message, extra={"index": member.slot})

        await asyncio.gather(*(note(member) for member in self._all() if member.living))
        return dict(sorted(answers.items()))


async def _in_flight_of(member: Member) -> Mapping[InstanceId, int]:
    process = member.living
    if process is None:
        return {}
    try:
        return await member.client.in_flight()
    except UnreachableError:
        if process.ended:
            return {}  # What it had has ended with it.
        raise
