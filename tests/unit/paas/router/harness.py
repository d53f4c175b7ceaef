"""A router on this event loop, and small real backends for it: bytes in, bytes out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import md5

from paas.domain.ids import AppId, InstanceId
from paas.domain.names import AppName
from paas.domain.route import Backend, RoutedApp, RoutingTable
from paas.router.limits import Limits
from paas.router.listener import bind, bound_address
from paas.router.server import RouterServer
from paas.settings import Address

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOCALHOST = "127.0.0.1"
HOST = b"Host: shop.localhost\r\n"


@dataclass
class Lines:
    """Keeps what would go to the log plane."""

    texts: list[str] = field(default_factory=list)

    def prefix(self, app: AppId, instance: str) -> bytes:
        assert (app, instance) == ("shop-id", "router")
        return b"\t"

    def say_all(self, app: AppId, lines: bytes, *, count: int) -> None:
        assert app == "shop-id"
        texts = [line.partition(b"\t")[2].decode() for line in lines.splitlines()]
        assert len(texts) == count
        self.texts += texts

    def flush(self) -> bool:
        return True


@dataclass
class Running:
    """A router, how to reach it, and what it has logged."""

    server: RouterServer
    port: int
    lines: Lines = field(default_factory=Lines)
    version: int = 0

    def route(self, *addresses: str, maintenance: bool = False, sticky: bool = False) -> None:
        """Route shop.localhost to these addresses, `web.1` first; an address keeps its instance id."""
        self.version += 1
        self.server.apply(table(self.version, *addresses, maintenance=maintenance, sticky=sticky))

    async def ask(self, request: bytes) -> bytes:
        """Send bytes on a fresh connection, and return all that comes back until its end."""
        reader, writer = await asyncio.open_connection(LOCALHOST, self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            await hang_up(writer)

    async def get(self, path: str = "/", *, lines: bytes = b"") -> bytes:
        return await self.ask(
            b"GET %b HTTP/1.1\r\n%bConnection: close\r\n%b\r\n" % (path.encode(), HOST, lines)
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(LOCALHOST, self.port)
        try:
            async with asyncio.timeout(15):
                yield reader, writer
        finally:
            await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def table(version: int, *addresses: str, maintenance: bool = False, sticky: bool = False) -> RoutingTable:
    backends = tuple(
        Backend(InstanceId(f"i-{address}"), f"web.{index}", 42, address, ticket(address))
        for index, address in enumerate(addresses, start=1)
    )
    hosts = ("shop.localhost",)
    app = RoutedApp(
        AppId("shop-id"), AppName("shop"), hosts, backends, maintenance=maintenance, sticky=sticky
    )
    return RoutingTable(version, (app,))


def ticket(address: str) -> str:
    return md5(address.encode()).hexdigest()


@asynccontextmanager
async def a_router(limits: Limits | None = None) -> AsyncIterator[Running]:
    listener = bind(Address(LOCALHOST, 0))
    lines = Lines()
    server = RouterServer(listener, lines=lines, limits=limits)
    server.start()
    try:
        yield Running(server, bound_address(listener).port, lines)
    finally:
        await server.stop()
        listener.close()


@asynccontextmanager
async def a_backend(handler: Handler, *, port: int = 0) -> AsyncIterator[str]:
    """Serve connections with `handler` for as long as the context lasts; gives the address."""
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            handlers.discard(task)
            await hang_up(writer)

    server = await asyncio.start_server(serve, LOCALHOST, port)
    try:
        yield f"{LOCALHOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def answering(body: bytes = b"hello", *, lines: bytes = b"", seen: list[bytes] | None = None) -> Handler:
    """Return a keep-alive backend that answers every request (without a body) alike, and notes each head."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await head_of(reader)
            if seen is not None:
                seen.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), lines, body))

    return handle


def saying(answer: bytes) -> Handler:
    """Return a backend that reads one head, says `answer`, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(answer)
        await writer.drain()

    return handle


def fields_of(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
