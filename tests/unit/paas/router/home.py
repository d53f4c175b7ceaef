"""Router processes as the control plane has them, with a home of their own: started, asked, and ended."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from paas.clock import SystemClock
from paas.router.processes import Routers
from paas.settings import Address, Settings
from tests.unit.paas.router.harness import HOST, LOCALHOST

REQUEST = b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"


class Home:
    """A state directory, with the FIFOs that a log plane would read."""

    def __init__(self, path: Path) -> None:
        self.settings = Settings(home=path, http=Address(LOCALHOST, 0), https=None)
        self._held: dict[str, int] = {}

    def routers(
        self, *, count: int = 1, http: Address | None = None, https: Address | None = None, code: str = "1"
    ) -> Routers:
        settings = replace(self.settings, http=http or self.settings.http, https=https, routers=count)
        return Routers(settings, clock=SystemClock(), log_fifo=self.fifo, code=code)

    def fifo(self, name: str) -> Path:
        path = self.settings.home / name
        if name not in self._held:
            os.mkfifo(path, 0o600)
            self._held[name] = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        return path

    def lines(self, name: str) -> str:
        try:
            return os.read(self._held[name], 65536).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)


@asynccontextmanager
async def a_home(path: Path) -> AsyncIterator[Home]:
    home = Home(path)
    try:
        yield home
    finally:
        home.close()


@asynccontextmanager
async def started(home: Home, *, count: int = 1) -> AsyncIterator[Routers]:
    routers = home.routers(count=count)
    await routers.start()
    try:
        yield routers
    finally:
        await routers.stop()


async def get(routers: Routers) -> bytes:
    reader, writer = await asyncio.open_connection(routers.address.host, routers.address.port)
    try:
        writer.write(REQUEST)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
