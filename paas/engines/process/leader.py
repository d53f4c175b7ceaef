"""The leader of an instance on the event loop: a handle on it, and the news of its end, told once."""

import asyncio
import signal
from collections.abc import Callable

from paas.domain.instance import ExitStatus, ProcessIdentity
from paas.engines.process import pidfd
from paas.engines.process.memory import killed_for_memory, kills
from paas.threads import in_thread

_PATIENCE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""How long the kernel is asked again how a process of another parent ended: it tells once that parent has reaped it."""


class Leader:
    """One leader that is watched. `ended` is done, and `on_end` called, as soon as it has ended.

    A child of ours stays a zombie until `release`, so that its pid and its group's number stay its own.
    """

    def __init__(self, identity: ProcessIdentity, handle: int, *, on_end: Callable[[], None]) -> None:
        self.identity = identity
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[ExitStatus] = self._loop.create_future()
        self._handle = handle
        self._kills_before = kills()
        self._on_end = on_end
        self._killed = False
        self._open = True
        self._asking: asyncio.Task[None] | None = None
        self._loop.add_reader(handle, self._has_ended)

    def signal_group(self, number: int) -> None:
        """Send a signal to the group that it leads; nothing once that is gone."""
        if self._open:
            self._killed = self._killed or number == signal.SIGKILL
            pidfd.send_group(self._handle, self.identity, number)

    def release(self) -> None:
        """Reap it if it has ended and is ours, and let go of it either way."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._handle)
        if self._asking:
            self._asking.cancel()
        pidfd.reap(self._handle)
        pidfd.close(self._handle)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._handle)
        code = self._exit_code()
        if code is None or self._may_lack_memory(code):
            self._asking = self._loop.create_task(self._ask(code))
        else:
            self._tell(ExitStatus(code))

    async def _ask(self, code: int | None) -> None:
        for pause in _PATIENCE:
            if code is not None:
                break
            await asyncio.sleep(pause)
            code = self._exit_code()
        out_of_memory = self._may_lack_memory(code) and await in_thread(killed_for_memory, self.identity)
        self._asking = None
        self._tell(ExitStatus(code, out_of_memory))

    def _exit_code(self) -> int | None:
        try:
            return pidfd.exit_code(self._handle, self.identity)
        except OSError:  # as without descriptors: that it has ended is to be told in any case
            return None

    def _may_lack_memory(self, code: int | None) -> bool:
        return code == -signal.SIGKILL and not self._killed and kills() > self._kills_before

    def _tell(self, status: ExitStatus) -> None:
        self.ended.set_result(status)
        self._on_end()
