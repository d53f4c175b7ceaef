"""The other end of a one-off's standard input and output, on pipes or on a terminal. It starts and kills nothing."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

from paas.domain.instance import ExitStatus, Identity
from paas.engines.base import TerminalSize
from paas.engines.process.leader import Leader
from paas.engines.process.terminal import set_size

_BLOCK = 64 * 1024
_END_OF_INPUT = b"\x04"


class ProcessAttachment:
    """An `Attachment` to a local process. On a terminal `reader` and `writer` are the same file."""

    def __init__(
        self, leader: Leader, *, reader: int, writer: int, leave: Callable[[], Awaitable[None]]
    ) -> None:
        self.identity: Identity = leader.identity
        self._leader = leader
        self._reader = reader
        self._writer: int | None = writer
        self._terminal = reader == writer
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._leave()
        finally:
            self._close_writer()
            self._loop.remove_reader(self._reader)
            os.close(self._reader)

    async def output(self) -> AsyncIterator[bytes]:
        while True:
            await self._until_readable()
            try:
                block = os.read(self._reader, _BLOCK)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno != errno.EIO:  # a terminal's way to say that nobody has it open any more
                    raise
                return
            if not block:
                return
            yield block

    async def write(self, data: bytes) -> None:
        while data and self._writer is not None:
            try:
                data = data[os.write(self._writer, data) :]
            except BlockingIOError:
                await self._until_writable(self._writer)
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.EIO):
                    raise
                return

    async def close_input(self) -> None:
        if self._terminal:
            await self.write(_END_OF_INPUT)
        else:
            self._close_writer()

    async def resize(self, size: TerminalSize) -> None:
        if self._terminal:
            set_size(self._reader, size)

    async def signal(self, number: int) -> None:
        self._leader.signal_group(number)

    async def wait(self) -> ExitStatus:
        return await asyncio.shield(self._leader.ended)

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._loop.remove_writer(self._writer)
            if not self._terminal:
                os.close(self._writer)
        self._writer = None

    async def _until_readable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(self._reader, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._reader)

    async def _until_writable(self, writer: int) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(writer, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(writer)


def _settle(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
