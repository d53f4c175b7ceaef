"""An attachment whose output goes two ways: to the caller as it is, to the app's log line by line."""

from collections.abc import AsyncIterator, Callable
from typing import Self

from paas.domain.instance import ExitStatus, Identity
from paas.domain.log import LINE_LIMIT
from paas.engines.base import Attachment, TerminalSize


class LoggedAttachment:
    """Passes everything on to the engine's attachment, and tells `say` each line of its output."""

    def __init__(self, inner: Attachment, *, say: Callable[[str], None]) -> None:
        self._inner, self._say = inner, say
        self._rest = b""
        self.identity: Identity = inner.identity

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._inner.__aexit__(*exc)

    async def output(self) -> AsyncIterator[bytes]:
        async for block in self._inner.output():
            self._take(block)
            yield block
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    async def write(self, data: bytes) -> None:
        await self._inner.write(data)

    async def close_input(self) -> None:
        await self._inner.close_input()

    async def resize(self, size: TerminalSize) -> None:
        await self._inner.resize(size)

    async def signal(self, number: int) -> None:
        await self._inner.signal(number)

    async def wait(self) -> ExitStatus:
        return await self._inner.wait()

    def _take(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) >= LINE_LIMIT:
            self._tell(self._rest[:LINE_LIMIT])
            self._rest = self._rest[LINE_LIMIT:]

    def _tell(self, line: bytes) -> None:
        self._say(line.removesuffix(b"\r").decode(errors="replace"))
