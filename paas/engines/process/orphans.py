"""Reaping what came to us because its parent ended before it. A child that someone here waits for is left alone."""

import logging
import os
from collections.abc import Callable, Collection
from contextlib import suppress

from paas.clock import Clock
from paas.domain.instance import ProcessIdentity
from paas.engines.process import proc
from paas.threads import in_thread

log = logging.getLogger(__name__)

_INTERVAL = 60.0


class Orphans:
    """Looks for zombies once a minute.

    One that is in an instance's session, without being its leader, was never anybody's child here. Any other is
    only taken at the second look: whoever started it would have fetched its status long before.
    """

    def __init__(self, *, clock: Clock, leaders: Callable[[], Collection[int]]) -> None:
        self._clock = clock
        self._leaders = leaders
        self._seen: set[ProcessIdentity] = set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self._clock.sleep(_INTERVAL)
            try:
                await in_thread(self.look, frozenset(self._leaders()))
            except Exception:  # the boundary: a look that fails must not be the last one
                log.exception("orphans were not looked for; the next look takes them")

    def look(self, leaders: Collection[int]) -> None:
        """Reap what is due at this look."""
        zombies = [
            each
            for each in proc.scan()
            if each.dead and each.parent == os.getpid() and each.pid not in leaders
        ]
        waiting = set()
        for zombie in zombies:
            who = ProcessIdentity(proc.boot_id(), zombie.pid, zombie.start_time)
            if zombie.session in leaders or who in self._seen:
                reap(zombie.pid)
            else:
                waiting.add(who)
        self._seen = waiting


def reap(pid: int) -> None:
    """Let go of one child that has ended; nothing where it is none of ours."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
