"""What the router counts: each request once, by the backend it went to, and by its app in all."""

import asyncio

import pytest

from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    Running,
    a_backend,
    a_router,
    answering,
    head_of,
    saying,
)

pytestmark = pytest.mark.anyio


def counted(router: Running) -> dict[str, object]:
    """Return classes of status: the app's own, then those of each backend by its name."""
    apps = router.server.metrics()["apps"]
    assert isinstance(apps, dict)
    shop = apps["shop"]
    return {"shop": shop["requests"], **{each["name"]: each["requests"] for each in shop["backends"]}}


async def test_a_request_is_counted_by_its_backend_and_by_its_app() -> None:
    async with a_router() as router, a_backend(answering()) as one, a_backend(saying(b"nonsense")) as other:
        router.route(one)
        await router.get()
        await router.get()
        router.route(one, other, maintenance=True)
        await router.get()
        assert counted(router) == {"shop": {"2xx": 2, "5xx": 1}, "web.1": {"2xx": 2}, "web.2": {}}
        router.route(other)
        await router.get()
        assert counted(router) == {"shop": {"2xx": 2, "5xx": 2}, "web.1": {"5xx": 1}}


async def test_the_short_way_counts_like_the_long_one() -> None:
    async with a_router() as router, a_backend(answering()) as address:
        router.route(address)
        for _ in range(5):  # the first one makes the connection that the others find
            await router.get()
        assert counted(router) == {"shop": {"2xx": 5}, "web.1": {"2xx": 5}}


async def test_a_draining_backend_counts_until_its_end_and_its_app_for_ever() -> None:
    go_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with a_router() as router, a_backend(slow) as old, a_backend(answering()) as new:
        router.route(old)
        async with router.connection() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await eventually_async(lambda: _under_way(router))
            router.route(new)
            assert _in_flight(router) == [0, 1]
            go_on.set()
            await head_of(reader)
        await router.get()
        assert counted(router) == {"shop": {"2xx": 1, "4xx": 1}, "web.1": {"2xx": 1}}


async def _under_way(router: Running) -> bool:
    return _in_flight(router) == [1]


def _in_flight(router: Running) -> list[int]:
    apps = router.server.metrics()["apps"]
    assert isinstance(apps, dict)
    return [each["in_flight"] for each in apps["shop"]["backends"]]
