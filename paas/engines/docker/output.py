"""The pump: carries what a container prints into its instance's FIFO, every line once, as long as the container lives.

Bytes come by attaching, which is fast and begins before the container starts. Docker's json-file log lies beneath it.
Whenever an attachment breaks, or another control plane takes over, what came in between is taken from there: the
journal says what was taken before (`journal`), and its last lines are found again in the log (`gap`, `catchup`).

A FIFO that is full holds up the reading, and so in the end the app; nothing is ever dropped. Only while the disk takes
no journal do bytes go on without one: the app's own life is worth more than a line that a crash might double.
"""

import asyncio
import errno
import logging
import os
from collections.abc import Callable

from paas.clock import Clock
from paas.engines.docker.attached import Attached
from paas.engines.docker.catchup import CatchUp
from paas.engines.docker.client import Daemon
from paas.engines.docker.hijack import Stream
from paas.engines.docker.journal import Journal

log = logging.getLogger(__name__)

_RETRY = 0.2
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Pump:
    """Carries one container's output. `hint` is called whenever an attachment ends: so may the container have."""

    def __init__(
        self, container: str, journal: Journal, *, daemon: Daemon, clock: Clock, hint: Callable[[], None]
    ) -> None:
        self._container = container
        self._journal = journal
        self._daemon = daemon
        self._clock = clock
        self._hint = hint
        self._taken_ns = journal.touched_ns

    async def run(self, stream: Stream | None) -> None:
        """Return when the container has ended and all it printed is passed on.

        `stream` is an attachment from before its start; None where the container was found running.
        """
        attached = Attached(stream) if stream else None
        fifo = None
        try:
            fifo = await self._open_fifo()
            await self._pass_on(fifo)
            attached = attached or await self._catch_up(fifo)
            while attached is not None:
                await self._carry(attached, fifo)
                attached.close()
                self._hint()
                attached = await self._catch_up(fifo)
        except Exception:
            log.exception(
                "the output of a container is not followed any more", extra={"container": self._container}
            )
        finally:
            self._hint()
            if attached:
                attached.close()
            if fifo is not None:
                os.close(fifo)
            self._journal.close()

    async def _open_fifo(self) -> int:
        """Open the FIFO for reading too: then it is there for us whether anybody reads or not."""
        while True:
            try:
                return os.open(self._journal.fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:  # the log plane's folder was cleared: it makes the FIFO anew
                await self._clock.sleep(_RETRY)

    async def _catch_up(self, fifo: int) -> Attached | None:
        async def take(stream: int, lines: bytes) -> None:
            await self._take(stream, lines, fifo)

        gap = CatchUp(
            self._container,
            self._journal,
            daemon=self._daemon,
            clock=self._clock,
            take=take,
            since_ns=self._taken_ns,
        )
        return await gap.run()

    async def _carry(self, attached: Attached, fifo: int) -> None:
        while (frames := await attached.read_lines()) is not None:
            for stream, lines in frames:
                await self._take(stream, lines, fifo)

    async def _take(self, stream: int, lines: bytes, fifo: int) -> None:
        self._taken_ns = int(self._clock.now().timestamp() * 1e9)
        try:
            self._journal.take(stream, lines)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            await self._write(fifo, lines)
            return
        await self._pass_on(fifo)

    async def _pass_on(self, fifo: int) -> None:
        while not self._journal.pass_on(fifo):
            await _writable(fifo)

    async def _write(self, fifo: int, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(fifo, data) :]
            except BlockingIOError:
                await _writable(fifo)


async def _writable(fifo: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(fifo, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fifo)
