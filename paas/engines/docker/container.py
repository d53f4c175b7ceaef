"""One instance's container while it lives: its end, its output, its address. It restarts nothing."""

import asyncio
import math
import signal
from collections.abc import Callable

from paas.clock import Clock
from paas.domain.ids import InstanceId
from paas.domain.instance import ContainerIdentity, ExitStatus
from paas.engines.docker.client import Daemon
from paas.engines.docker.hearing import hears
from paas.engines.docker.hijack import Stream
from paas.engines.docker.journal import Journal
from paas.engines.docker.listening import Listener, listeners
from paas.engines.docker.output import Pump
from paas.engines.docker.reach import listens, stays
from paas.engines.docker.state import ContainerState
from paas.engines.docker.watch import Watch
from paas.errors import EngineUnavailableError
from paas.threads import in_thread

_HURRY = 0.2
"""How soon a wait for the grace sees that somebody is less patient."""
_BEGINS = 5.0
"""How long a container that was just started may take until it hears a signal."""
_LOOK = 0.02
_UNKILLABLE = 10.0
_RETRY = 1.0

Tell = Callable[[InstanceId, ExitStatus], None]


class LiveContainer:
    """A container that was started or found here; `tell` hears of its end, once.

    When it has ended, its last lines are passed on, and then it is removed: what is left of it is how it ended.
    """

    def __init__(
        self,
        id: InstanceId,
        state: ContainerState,
        journal: Journal,
        *,
        stream: Stream | None,
        daemon: Daemon,
        clock: Clock,
        tell: Tell,
    ) -> None:
        self.id = id
        self.identity = ContainerIdentity(state.id)
        self._host, self._port, self._published = state.host, state.owner.port, state.published
        self._daemon = daemon
        self._clock = clock
        self._tell = tell
        self._journal = journal.path
        self._deadline = math.inf
        self._stopping: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self._watch = Watch(state.id, state.pid, daemon=daemon, clock=clock)
        pump = Pump(state.id, journal, daemon=daemon, clock=clock, hint=self._watch.hint)
        self._output = asyncio.create_task(pump.run(stream), name=f"output of {id}")
        self._life = asyncio.create_task(self._live(), name=f"life of {id}")

    async def stop(self, *, grace: float) -> ExitStatus:
        """End it as the engine's contract says. A second call can shorten the grace, and ends with the first."""
        if self._stopping is not None and _has_failed(self._stopping):
            # It broke off, as the daemon was silent: that is not to shorten the grace of this one.
            self._stopping, self._deadline = None, math.inf
        self._deadline = min(self._deadline, self._clock.monotonic() + grace)
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopping)
        await asyncio.wait([self._output])
        return self.ended.result()

    async def remove(self) -> None:
        """Return once the container, which has ended, is removed with all that was kept for it."""
        await asyncio.shield(self._life)

    async def address(self, port: int) -> str | None:
        """Return where a router reaches it once it listens on `port`."""
        if self.ended.done() or not self._host:
            return None
        inside = self.port_inside(port)
        if self._published is None:
            address = f"{self._host}:{inside}"
            return address if await listens(address) else None
        address = f"127.0.0.1:{self._published}"
        return address if await self._listens_behind(address, inside) else None

    def port_inside(self, port: int) -> int:
        """Return the port that it is to listen on: its image may EXPOSE another one than `port`."""
        return self._port or port

    async def listening(self) -> list[Listener]:
        """Return the sockets that listen inside; none where its processes cannot be seen from here."""
        pid = self._watch.pid
        return await in_thread(listeners, pid) if pid is not None else []

    async def _listens_behind(self, address: str, port: int) -> bool:
        """Return whether the app listens behind a published port, for which Docker's proxy accepts in any case."""
        if self._watch.pid is None:
            return await stays(address)
        return any(each.port == port and each.reachable for each in await self.listening())

    async def let_go(self) -> None:
        """Stop watching it and leave it running. One that has ended is removed first, if that takes no time."""
        if self._stopping:
            self._stopping.cancel()
        tasks = [self._life, self._output, *([self._stopping] if self._stopping else [])]
        if self.ended.done():
            await asyncio.wait([self._life], timeout=_RETRY)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._watch.close()

    async def _live(self) -> None:
        status = await self._watch.ended()
        self._watch.close()
        self.ended.set_result(status)
        self._tell(self.id, status)
        await asyncio.wait([self._output])
        while True:
            try:
                await self._daemon.remove(self.identity.container)
                break
            except EngineUnavailableError:
                await self._clock.sleep(_RETRY)
        await in_thread(self._journal.unlink, missing_ok=True)

    async def _stop(self) -> None:
        await self._begin_to_hear()
        if not self.ended.done():
            await self._daemon.signal(self.identity.container, signal.SIGTERM)
        while (left := self._deadline - self._clock.monotonic()) > 0 and not self.ended.done():
            await asyncio.wait([self.ended], timeout=min(left, _HURRY))
        if not self.ended.done():
            await self._daemon.signal(self.identity.container, signal.SIGKILL)
            self._watch.hint()
            await asyncio.wait([self.ended], timeout=_UNKILLABLE)
        if not self.ended.done():
            raise EngineUnavailableError(
                f"Container {self.identity.container[:12]} of instance {self.id} does not end though it was killed."
            )

    async def _begin_to_hear(self) -> None:
        """Return once a signal reaches the command, or soon: it would be lost on one that was only just started."""
        patience = self._clock.monotonic() + _BEGINS
        while (pid := self._watch.pid) is not None and not await in_thread(hears, pid):
            if self.ended.done() or self._clock.monotonic() >= min(patience, self._deadline):
                return
            await self._clock.sleep(_LOOK)


def _has_failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
