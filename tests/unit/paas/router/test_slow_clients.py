"""A thousand clients that send their heads a byte at a time: the others are served, and the slow ones are told."""

import asyncio
import os
import resource

import pytest

from paas.router.limits import Limits
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    LOCALHOST,
    Running,
    a_backend,
    a_router,
    answering,
    hang_up,
    status_of,
)

pytestmark = pytest.mark.anyio

SLOW = 1000
TRICKLE = 0.2


@pytest.fixture(autouse=True)
def enough_descriptors() -> None:
    """Both ends of every connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SLOW + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        missing = f"a process may have {hard} descriptors here, {wanted} are needed"
        if os.environ.get("MINI_TEST_REQUIRE") == "all":
            pytest.fail(missing)
        pytest.skip(missing)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


async def slow_client(port: int) -> bytes:
    """Send a head that never ends, and return what the router says to it."""
    reader, writer = await asyncio.open_connection(LOCALHOST, port)
    answer = asyncio.create_task(reader.read())
    writer.write(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Slow: ")
    try:
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait([answer], timeout=TRICKLE)
        return await answer
    finally:
        answer.cancel()
        await hang_up(writer)


async def test_a_thousand_slow_clients_stop_nobody_else() -> None:
    async with a_router(Limits(head=300.0)) as router, a_backend(answering()) as address:
        router.route(address)
        slow = [asyncio.create_task(slow_client(router.port)) for _ in range(SLOW)]
        await eventually_async(lambda: _all_connected(router), within=60)
        served = [status_of(await router.get()) for _ in range(50)]
        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    assert served == [200] * 50


async def test_slow_clients_are_told() -> None:
    async with a_router(Limits(head=0.5)) as router:
        answers = await asyncio.gather(*(slow_client(router.port) for _ in range(50)))
    assert {status_of(answer) for answer in answers} == {408}


async def _all_connected(router: Running) -> bool:
    return router.server.metrics()["connections"] == SLOW
