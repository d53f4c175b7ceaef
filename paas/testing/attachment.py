"""The other end of a one-off that is acted out in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

from paas.domain.instance import ExitStatus, Identity
from paas.engines.base import TerminalSize
from paas.testing.behaviour import Behaviour, OnTerm

_KILL = 9


class FakeAttachment:
    """An `Attachment` whose one-off prints, echoes and exits as its behaviour says; `sizes` keeps what was resized."""

    def __init__(
        self,
        identity: Identity,
        *,
        behaviour: Behaviour,
        ended: "asyncio.Future[ExitStatus]",
        terminal: TerminalSize | None,
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        self.identity = identity
        self.sizes: list[TerminalSize] = [terminal] if terminal else []
        self._behaviour = behaviour
        self._newline = "\r\n" if terminal else "\n"
        self._ended = ended
        self._leave = leave
        self._output: asyncio.Queue[bytes | None] = asyncio.Queue()
        for line in behaviour.prints:
            self._output.put_nowait(f"{line}{self._newline}".encode())
        ended.add_done_callback(lambda _: self._output.put_nowait(None))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._leave()

    async def output(self) -> AsyncIterator[bytes]:
        while (block := await self._output.get()) is not None:
            yield block

    async def write(self, data: bytes) -> None:
        if self._behaviour.echoes and not self._ended.done():
            self._output.put_nowait(data.replace(b"\n", self._newline.encode()))

    async def close_input(self) -> None:
        if self._behaviour.echoes:
            self._end(ExitStatus(self._behaviour.exits or 0))

    async def resize(self, size: TerminalSize) -> None:
        if self.sizes:
            self.sizes.append(size)

    async def signal(self, number: int) -> None:
        if number == _KILL or self._behaviour.on_term is OnTerm.DIE:
            self._end(ExitStatus(-number))
        elif self._behaviour.on_term is OnTerm.EXIT:
            self._end(ExitStatus(0))

    async def wait(self) -> ExitStatus:
        return await asyncio.shield(self._ended)

    def _end(self, status: ExitStatus) -> None:
        if not self._ended.done():
            self._ended.set_result(status)
