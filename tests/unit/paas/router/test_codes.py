"""Every way a request goes wrong has its code: on the page, where there can be one, in the log line, in the metrics."""

import asyncio
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from paas.router.limits import Limits
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    LOCALHOST,
    Handler,
    Running,
    a_backend,
    a_router,
    answering,
    head_of,
    saying,
    status_of,
)

pytestmark = pytest.mark.anyio

SHORT = Limits(first_byte=0.3, idle=0.3, connect=0.1, hold=0.1, tick=0.05)

Ask = Callable[[Running], Awaitable[bytes]]


async def get(router: Running) -> bytes:
    with suppress(ConnectionResetError):  # an answer that was cut short
        return await router.get()
    return b""


async def stalled_upload(router: Running) -> bytes:
    return await router.ask(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n" + HOST + b"\r\nhalf")


async def without_descriptors(router: Running) -> bytes:
    """Ask on a connection that was accepted before the process ran out of descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with router.connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        await eventually_async(lambda: _is_accepted(router))
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            writer.write(b"Connection: close\r\n" + HOST + b"\r\n")
            return await reader.read()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def gone_client(router: Running) -> bytes:
    async with router.connection() as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await eventually_async(lambda: _is_under_way(router))
        # Not half closed, which a client that still waits may be: reset.
        reset = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.transport.abort()
    return b""


async def _is_under_way(router: Running) -> bool:
    return sum(router.server.balancer.in_flight().values()) > 0


async def _is_accepted(router: Running) -> bool:
    return router.server.metrics()["connections"] == 1


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def stands_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await reader.read()


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


@pytest.mark.parametrize(
    ("code", "backend", "ask", "page", "logged"),
    [
        pytest.param("H10", "refuses", get, 503, 503, id="H10"),
        pytest.param("H12", silent, get, 503, 503, id="H12"),
        pytest.param("H13", saying(b""), get, 503, 503, id="H13"),
        pytest.param("H14", "none", get, 503, 503, id="H14"),
        pytest.param("H15", stands_still, get, None, 200, id="H15"),
        pytest.param("H17", saying(b"nonsense\r\n\r\n"), get, 503, 503, id="H17"),
        pytest.param("H18", saying(HALF), get, None, 200, id="H18"),
        pytest.param("H20", "never accepts", get, 503, 503, id="H20"),
        pytest.param("H27", silent, gone_client, None, 499, id="H27"),
        pytest.param("H28", silent, stalled_upload, 408, 408, id="H28"),
        pytest.param("H80", "maintenance", get, 503, 503, id="H80"),
        pytest.param("H99", answering(), without_descriptors, 500, 500, id="H99"),
    ],
)
async def test_a_code_is_on_the_page_in_the_log_line_and_in_the_metrics(
    code: str, backend: str | Handler, ask: Ask, page: int | None, logged: int
) -> None:
    async with a_router(SHORT) as router, routed(router, backend):
        answer = await ask(router)
        (line,) = await eventually_async(lambda: _lines(router))
    if page is not None:
        assert status_of(answer) == page
        assert f"({code})".encode() in answer
    assert line.startswith(f"at=error code={code} desc=")
    assert f" status={logged} " in line
    apps = router.server.metrics()["apps"]
    assert isinstance(apps, dict)
    assert apps["shop"]["codes"] == {code: 1}
    assert apps["shop"]["requests"] == {f"{logged // 100}xx": 1}


async def _lines(router: Running) -> list[str]:
    return router.lines.texts


@asynccontextmanager
async def routed(router: Running, backend: str | Handler) -> AsyncIterator[None]:
    """Have the app's requests meet this backend."""
    if not isinstance(backend, str):
        async with a_backend(backend) as address:
            router.route(address)
            yield
        return
    if backend in ("none", "maintenance"):
        router.route(maintenance=backend == "maintenance")
        yield
        return
    with socket.create_server((LOCALHOST, 0), backlog=0) as server:
        port = server.getsockname()[1]
        router.route(f"{LOCALHOST}:{port}")
        if backend == "refuses":
            server.close()
            yield
            return
        waiting = [_begun(port) for _ in range(3)]  # its queue is full: nobody else gets in
        yield
        for each in waiting:
            each.close()


def _begun(port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex((LOCALHOST, port))
    return client
