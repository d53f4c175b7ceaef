"""The other end of a one-off in a container. Its container is its own, and is removed whatever happens."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

from paas.clock import Clock
from paas.domain.instance import ContainerIdentity, ExitStatus, Identity
from paas.engines.base import TerminalSize
from paas.engines.docker.client import Daemon
from paas.engines.docker.frames import Demultiplexer
from paas.engines.docker.hijack import Stream
from paas.engines.docker.watch import Watch
from paas.errors import EngineUnavailableError

log = logging.getLogger(__name__)

_END_OF_INPUT = b"\x04"
_UNKILLABLE = 10.0
_RETRY = 1.0

Leave = Callable[[], Awaitable[None]]


class DockerAttachment:
    """An `Attachment` to a container. On a terminal its output comes as it is, else as frames."""

    def __init__(
        self,
        stream: Stream,
        watch: Watch,
        *,
        container: str,
        terminal: bool,
        daemon: Daemon,
        clock: Clock,
        grace: float,
        leave: Leave,
    ) -> None:
        self.identity: Identity = ContainerIdentity(container)
        self._container = container
        self._stream = stream
        self._watch = watch
        self._terminal = terminal
        self._daemon = daemon
        self._clock = clock
        self._grace = grace
        self._leave = leave
        self._ended = asyncio.create_task(watch.ended(), name=f"one-off {container[:12]}")

    @classmethod
    async def start(
        cls,
        container: str,
        *,
        terminal: TerminalSize | None,
        daemon: Daemon,
        clock: Clock,
        grace: float,
        leave: Leave,
    ) -> Self:
        """Start a container that was made for a one-off, with somebody attached from before its first byte."""
        stream = None
        try:
            stream = await daemon.attach(container, stdin=True)
            await daemon.start(container)
            if terminal:
                await daemon.resize(container, rows=terminal.rows, columns=terminal.columns)
            state = await daemon.get(container)
            watch = Watch(state.id, state.pid, daemon=daemon, clock=clock)
        except BaseException:
            if stream:
                stream.close()
            await daemon.remove(container)
            raise
        return cls(
            stream,
            watch,
            container=container,
            terminal=terminal is not None,
            daemon=daemon,
            clock=clock,
            grace=grace,
            leave=leave,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Return once it has ended and nothing of it is left, however long the daemon does not answer meanwhile."""
        try:
            await self._insist(self._end)
            self._stream.close()
            await self._insist(self._remove)
            await self._insist(self._leave)
        finally:
            self._stream.close()
            self._ended.cancel()  # where its end was not waited for
            await asyncio.wait([self._ended])
            self._watch.close()

    async def output(self) -> AsyncIterator[bytes]:
        frames = Demultiplexer()
        while block := await self._stream.read():
            if self._terminal:
                yield block
                continue
            for _, payload in frames.feed(block):
                yield payload
        self._watch.hint()

    async def write(self, data: bytes) -> None:
        try:
            await self._stream.write(data)
        except OSError:  # it has ended
            return

    async def close_input(self) -> None:
        if self._terminal:
            await self.write(_END_OF_INPUT)
        else:
            self._stream.end_input()

    async def resize(self, size: TerminalSize) -> None:
        if self._terminal:
            await self._daemon.resize(self._container, rows=size.rows, columns=size.columns)

    async def signal(self, number: int) -> None:
        if not self._ended.done():
            await self._daemon.signal(self._container, number)

    async def wait(self) -> ExitStatus:
        return await asyncio.shield(self._ended)

    async def _end(self) -> None:
        for number, patience in ((signal.SIGTERM, self._grace), (signal.SIGKILL, _UNKILLABLE)):
            if not self._ended.done():
                await self.signal(number)
                self._watch.hint()
                await asyncio.wait([self._ended], timeout=patience)

    async def _remove(self) -> None:
        await self._daemon.remove(self._container)
        self._watch.hint()  # one whose end was not seen is gone now
        await asyncio.wait([self._ended])

    async def _insist(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await step()
            except EngineUnavailableError as error:
                log.debug("the daemon does not answer", extra={"reason": error.message})
                await self._clock.sleep(_RETRY)
