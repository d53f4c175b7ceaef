"""The end of a container, found out at once: a handle on its first process wakes, the daemon says how it ended.

Where containers are not processes of this machine that we can see, the end of their output wakes instead.
"""

import asyncio
import os
from pathlib import Path

from paas.clock import Clock
from paas.domain.instance import ExitStatus
from paas.engines.docker.client import Daemon
from paas.errors import EngineUnavailableError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 1.0
_LOOKS = 12
"""How often it is looked after a hint that may be wrong: about three seconds in all."""
_WITHOUT_HANDLE = 5.0
"""Seconds after which it is looked without a hint: the output may have ended long before the container does."""


class Watch:
    """Watches one container that was started. `pid` is its first process as seen from here, None where it is not."""

    def __init__(self, container: str, pid: int, *, daemon: Daemon, clock: Clock) -> None:
        self._container = container
        self._daemon = daemon
        self._clock = clock
        self._hinted = asyncio.Event()
        self._has_process_ended = False
        self._handle = _handle_on(pid, container)
        self.pid = pid if self._handle is not None else None
        if self._handle is not None:
            asyncio.get_running_loop().add_reader(self._handle, self._process_ended)
        else:  # it may have ended since `pid` was asked for, and nothing would tell of that any more
            self.hint()

    def hint(self) -> None:
        """Say that it may have ended."""
        self._hinted.set()

    async def ended(self) -> ExitStatus:
        """Return how it ended, once it has. As long as the daemon does not answer it is not known, and not dead."""
        while True:
            status = await self._look(at_most=_LOOKS if await self._is_hinted() else 1)
            if status is not None:
                return status

    def close(self) -> None:
        """Watch no more."""
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None

    def _process_ended(self) -> None:
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
        self._has_process_ended = True
        self.pid = None
        self.hint()

    async def _is_hinted(self) -> bool:
        """Return once there is a hint; where no handle will tell, also from time to time without one."""
        try:
            async with asyncio.timeout(_WITHOUT_HANDLE if self._handle is None else None):
                await self._hinted.wait()
        except TimeoutError:
            return False
        self._hinted.clear()
        return True

    async def _look(self, *, at_most: int) -> ExitStatus | None:
        pause, looks = _FIRST_PAUSE, 0
        while looks < at_most or self._has_process_ended:
            looks += 1
            try:
                state = await self._daemon.find(self._container)
                if state is None:
                    return ExitStatus(None)
                if state.is_over:
                    return state.exit
            except EngineUnavailableError:
                looks, pause = 0, _LONGEST_PAUSE
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return None


def _handle_on(pid: int, container: str) -> int | None:
    """Return a pidfd of a container's process; None where that pid is another's here, or nobody's.

    It is looked at behind the open handle, so that a pid which changed hands in between is not taken.
    """
    if pid <= 0:
        return None
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # ended, or not a process of this machine, whose threads may have the same number
        return None
    try:
        if container in Path(f"/proc/{pid}/cgroup").read_text():
            return handle
    except OSError:
        pass
    os.close(handle)
    return None
