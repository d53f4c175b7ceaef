"""Bodies of any size pass in constant memory, both ways, whoever is the slower one."""

import asyncio
from pathlib import Path

import psutil
import pytest

from tests.unit.paas.router.harness import HOST, a_backend, head_of, table
from tests.unit.paas.router.home import a_home, started

pytestmark = pytest.mark.anyio

MIB = 1 << 20
BLOCK = bytes(MIB)
GROWTH = 24 * MIB
"""What the router may grow by: its windows, and what the allocator keeps of them."""
SLOW_EVERY = 32
"""The reader pauses after so many MiB, to have the writer wait."""


@pytest.fixture
def anyio_backend() -> str:
    """Routers are watched from the control plane's loop."""
    return "asyncio"


async def drink(reader: asyncio.StreamReader, size: int) -> None:
    for number in range(size // MIB):
        await reader.readexactly(MIB)
        if number % SLOW_EVERY == 0:
            await asyncio.sleep(0.01)


async def swallow_and_pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the whole body, then answer with as much."""
    head = await head_of(reader)
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await drink(reader, size)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // MIB):
        writer.write(BLOCK)
        await writer.drain()


async def growth(folder: Path, *, size: int) -> int:
    """Return by how many bytes a router has grown at most while a body of `size` went each way."""
    async with a_home(folder) as home, started(home) as routers, a_backend(swallow_and_pour) as address:
        await routers.publish(table(1, address))
        router = psutil.Process(routers.pids[0])
        before, most = router.memory_info().rss, 0
        reader, writer = await asyncio.open_connection(
            routers.address.host, routers.address.port, limit=4 * MIB
        )
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n%b\r\n" % (size, HOST))
        for _ in range(size // MIB):
            writer.write(BLOCK)
            await writer.drain()
            most = max(most, router.memory_info().rss)
        await head_of(reader)
        for _ in range(size // MIB):
            await drink(reader, MIB)
            most = max(most, router.memory_info().rss)
        writer.close()
    return most - before


async def test_a_big_body_each_way_takes_no_more_memory_than_a_window(tmp_path: Path) -> None:
    assert await growth(tmp_path, size=64 * MIB) < GROWTH


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_a_gigabyte_each_way_takes_no_more_memory_than_a_window(tmp_path: Path) -> None:
    grown = await growth(tmp_path, size=1024 * MIB)
    assert grown < GROWTH
    print(f"1 GiB each way: {grown / MIB:.1f} MiB more memory at most")
