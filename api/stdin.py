"""A one-off's input between the client that sends it and the command, which need not read it. It knows no messages."""

import asyncio
from collections.abc import Awaitable, Callable

from paas.engines.base import Attachment

WINDOW = 256 * 1024
"""Bytes of input that a client may have on the way, sent and not yet taken (docs/api.md)."""


class Stdin:
    """Keeps what came, in order, until the command takes it: whoever receives it goes on receiving meanwhile.

    `tell` is given the bytes that were taken since it was last called, once they are half a window.
    """

    def __init__(self, attachment: Attachment, *, tell: Callable[[int], Awaitable[None]]) -> None:
        self._attachment, self._tell = attachment, tell
        self._blocks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._on_the_way = self._untold = 0
        self._room = asyncio.Event()

    async def put(self, block: bytes) -> None:
        """Take what comes next; returns at once, but to a client that sent more than the window only when there is room."""
        self._blocks.put_nowait(block)
        self._on_the_way += len(block)
        while self._on_the_way > WINDOW:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """End the command's input behind what came so far."""
        self._blocks.put_nowait(None)

    async def pass_on(self) -> None:
        """Give the command what comes, until it is cancelled."""
        while True:
            block = await self._blocks.get()
            if block is None:
                await self._attachment.close_input()
            else:
                await self._attachment.write(block)
                await self._taken(len(block))

    async def _taken(self, size: int) -> None:
        self._on_the_way -= size
        self._room.set()
        self._untold += size
        if self._untold >= WINDOW // 2:
            told, self._untold = self._untold, 0
            await self._tell(told)
