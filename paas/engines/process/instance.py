"""One instance that runs here: its leader, its family, its scratch, and the way it ends. It restarts nothing."""

import asyncio
import math
import signal
from collections.abc import Callable

from paas.clock import Clock
from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, ProcessIdentity
from paas.engines.process import sockets
from paas.engines.process.family import Family
from paas.engines.process.leader import Leader
from paas.engines.process.scratch import Scratch
from paas.errors import ConflictError, EngineUnavailableError
from paas.threads import in_thread

_LOOK_AGAIN = 0.02
_HURRY = 0.2
"""How soon a wait for the grace sees that somebody is less patient."""
_UNKILLABLE = 10.0


class LocalInstance:
    """An instance whose leader was started or adopted here; `tell` hears of the leader's end, once.

    Whatever ends the leader ends the rest: at once where it ended by itself, after the grace where it was stopped.
    """

    def __init__(
        self,
        id: InstanceId,
        identity: ProcessIdentity,
        handle: int,
        *,
        scratch: Scratch,
        clock: Clock,
        tell: Callable[[InstanceId, ExitStatus], None],
    ) -> None:
        self.id = id
        self.leader = Leader(identity, handle, on_end=self._leader_ended)
        self._family = Family(id, identity, scratch=scratch)
        self._scratch = scratch
        self._clock = clock
        self._tell = tell
        self._deadline = math.inf
        self._ending: asyncio.Task[None] | None = None

    async def stop(self, *, grace: float) -> ExitStatus:
        """End all of it as the engine's contract says. A second call can shorten the grace, and ends with the first."""
        self._deadline = min(self._deadline, self._clock.monotonic() + grace)
        if self._ending is None or self._has_failed(self._ending):
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)
        return self.leader.ended.result()

    async def remove(self) -> None:
        """Remove its scratch once nothing of it runs; raises ConflictError while its leader does."""
        if self._ending is None:
            raise ConflictError(f"Instance {self.id} still runs; stop it first.")
        if self._has_failed(self._ending) and self.leader.ended.done():
            self._ending = asyncio.create_task(self._clear())
        await asyncio.shield(self._ending)
        await in_thread(self._scratch.remove)

    async def listening(self, port: int = 0) -> list[sockets.Listener]:
        """Return its sockets that listen on `port`, or on any."""
        return await in_thread(self._listening, port)

    async def let_go(self) -> None:
        """Stop watching it, and leave it running."""
        if self._ending:
            self._ending.cancel()
            await asyncio.wait([self._ending])
        self.leader.release()

    def _listening(self, port: int) -> list[sockets.Listener]:
        found = sockets.listeners(port)
        if not found:
            return []
        own = sockets.inodes(each.pid for each in self._family.alive())
        return [listener for listener in found if listener.inode in own]

    def _leader_ended(self) -> None:
        if self._ending is None:
            self.leader.signal_group(signal.SIGKILL)
            self._ending = asyncio.create_task(self._clear())
        self._tell(self.id, self.leader.ended.result())

    async def _end(self) -> None:
        group = self.leader.identity.pid
        self.leader.signal_group(signal.SIGTERM)
        await in_thread(self._family.signal, signal.SIGTERM, beyond_group=group)
        while (left := self._left()) > 0 and not self.leader.ended.done():
            await asyncio.wait([self.leader.ended], timeout=min(left, _HURRY))
        while self._left() > 0 and await in_thread(self._family.any_alive):
            await self._clock.sleep(_LOOK_AGAIN)
        self.leader.signal_group(signal.SIGKILL)
        await self._clear()

    def _left(self) -> float:
        return self._deadline - self._clock.monotonic()

    async def _clear(self) -> None:
        limit = self._clock.monotonic() + _UNKILLABLE
        while await in_thread(self._family.kill):
            if self._clock.monotonic() > limit:
                raise EngineUnavailableError(
                    f"A process of instance {self.id} waits in the kernel and cannot be killed."
                )
            await self._clock.sleep(_LOOK_AGAIN)
        await asyncio.shield(self.leader.ended)
        self.leader.release()

    @staticmethod
    def _has_failed(ending: "asyncio.Task[None]") -> bool:
        return ending.done() and (ending.cancelled() or ending.exception() is not None)
