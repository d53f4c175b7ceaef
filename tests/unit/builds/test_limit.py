"""What counts for the limit of a build."""

import asyncio

import pytest

from builds.limit import Limit

pytestmark = pytest.mark.anyio


async def test_the_wait_for_another_build_does_not_count() -> None:
    room = asyncio.Lock()

    async def build() -> str:
        async with Limit(0.2) as limit, limit.turn(room):
            return "built"

    async with room:
        building = asyncio.create_task(build())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(building), 0.4)

    assert await building == "built"


async def test_what_is_done_in_ones_turn_counts() -> None:
    with pytest.raises(TimeoutError):
        async with Limit(0.05) as limit, limit.turn(asyncio.Lock()):
            await asyncio.Event().wait()


async def test_what_is_done_behind_ones_turn_counts() -> None:
    async def build() -> None:
        async with Limit(0.05) as limit:
            async with limit.turn(asyncio.Semaphore()):
                pass
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await build()


async def test_one_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    room = asyncio.Semaphore()

    async def build() -> None:
        async with Limit(60) as limit, limit.turn(room):
            raise AssertionError

    async with room:
        building = asyncio.create_task(build())
        await asyncio.wait({building}, timeout=0.05)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building

    assert not room.locked()
