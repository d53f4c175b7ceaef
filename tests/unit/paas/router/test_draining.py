"""Changes of the table under traffic: nothing under way is lost, nothing new goes to what has left."""

import asyncio

import pytest

from paas.domain.ids import InstanceId
from paas.router.limits import Limits
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    Handler,
    Running,
    a_backend,
    a_router,
    answering,
    body_of,
    fields_of,
    head_of,
    status_of,
    table,
)

pytestmark = pytest.mark.anyio


def held_until(go_on: asyncio.Event, body: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head_of(reader)
            await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return handle


async def is_in_flight(router: Running) -> bool:
    return sum(router.server.balancer.in_flight().values()) > 0


async def test_what_is_under_way_is_finished_and_new_requests_go_to_the_new_backend() -> None:
    go_on = asyncio.Event()
    async with (
        a_router() as router,
        a_backend(held_until(go_on, b"old")) as old,
        a_backend(answering(b"new")) as new,
    ):
        router.route(old)
        under_way = asyncio.create_task(router.get())
        await eventually_async(lambda: is_in_flight(router))
        router.route(new)
        assert body_of(await router.get()) == b"new"
        assert router.server.balancer.in_flight()[InstanceId(f"i-{old}")] == 1
        go_on.set()
        assert body_of(await under_way) == b"old"
        assert InstanceId(f"i-{old}") not in router.server.balancer.in_flight()


async def test_a_clients_connection_survives_a_new_table() -> None:
    async with a_router() as router, a_backend(answering(b"old")) as old, a_backend(answering(b"new")) as new:
        router.route(old)
        async with router.connection() as (reader, writer):
            for address, body in ((old, b"old"), (new, b"new"), (old, b"old")):
                router.route(address)
                writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                await head_of(reader)
                assert await reader.readexactly(3) == body


async def test_the_end_of_a_drain_cuts_what_is_left() -> None:
    async with a_router() as router, a_backend(held_until(asyncio.Event(), b"")) as old:
        router.route(old)
        under_way = asyncio.create_task(router.get())
        await eventually_async(lambda: is_in_flight(router))
        router.route()
        router.server.balancer.cut([InstanceId(f"i-{old}")])
        assert status_of(await under_way) == 503
        assert not await is_in_flight(router)


async def test_an_older_table_is_never_taken_up_again() -> None:
    async with a_router() as router, a_backend(answering(b"new")) as new:
        assert router.server.apply(table(5, new)) == 5
        assert router.server.apply(table(4)) == 5
        assert body_of(await router.get()) == b"new"


async def test_swaps_under_load_lose_nothing() -> None:
    async with a_router() as router, a_backend(answering(b"a")) as one, a_backend(answering(b"b")) as two:
        router.route(one)
        swapping = asyncio.Event()

        async def load() -> int:
            served = 0
            async with router.connection() as (reader, writer):
                while not swapping.is_set():
                    writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                    assert status_of(await head_of(reader)) == 200
                    await reader.readexactly(1)
                    served += 1
            return served

        loads = [asyncio.create_task(load()) for _ in range(8)]
        for number in range(50):
            router.route((one, two)[number % 2])
            await asyncio.sleep(0.005)
        swapping.set()
        assert min(await asyncio.gather(*loads)) > 0
    assert all("at=info" in text for text in router.lines.texts)


async def test_requests_are_spread_by_what_is_under_way() -> None:
    go_on = asyncio.Event()
    seen: list[bytes] = []
    busy = held_until(go_on, b"busy")
    async with a_router() as router, a_backend(busy) as one, a_backend(answering(b"free", seen=seen)) as two:
        router.route(one)
        under_way = asyncio.create_task(router.get())
        await eventually_async(lambda: is_in_flight(router))
        router.route(one, two)
        for _ in range(10):
            assert body_of(await router.get()) == b"free"
        go_on.set()
        await under_way
    assert len(seen) == 10


async def test_a_router_that_stops_finishes_what_is_in_flight() -> None:
    go_on = asyncio.Event()
    async with a_router() as router, a_backend(held_until(go_on, b"whole")) as address:
        router.route(address)
        async with router.connection() as (idle, _), router.connection() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await eventually_async(lambda: is_in_flight(router))
            stopping = asyncio.create_task(router.server.stop())
            assert await idle.read() == b""
            go_on.set()
            head = await head_of(reader)
            assert fields_of(head)["connection"] == "close"
            assert await reader.read() == b"whole"
            writer.close()
            await stopping


async def test_a_router_that_stops_cuts_what_takes_too_long() -> None:
    never = asyncio.Event()
    async with a_router(Limits(stop=0.05)) as router, a_backend(held_until(never, b"")) as address:
        router.route(address)
        under_way = asyncio.create_task(router.get())
        await eventually_async(lambda: is_in_flight(router))
        await router.server.stop()
        assert await under_way in (b"",) or status_of(await under_way) == 503


def in_two_pieces(go_on: asyncio.Event) -> Handler:
    """Return a backend that sends the second half of its body when it may."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwh")
            await go_on.wait()
            writer.write(b"le")

    return handle


async def test_a_retiring_router_keeps_a_connection_that_it_did_not_say_it_would_close() -> None:
    go_on = asyncio.Event()
    request = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    async with (
        a_router() as router,
        a_backend(in_two_pieces(go_on)) as address,
        router.connection() as (reader, writer),
    ):
        router.route(address)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\nwh")
        assert "connection" not in fields_of(head)
        router.server.retire()
        go_on.set()
        assert await reader.readexactly(2) == b"le"
        writer.write(request)
        last = await reader.read()
        assert status_of(last) == 200
        assert fields_of(last)["connection"] == "close"
        assert last.endswith(b"whle")
