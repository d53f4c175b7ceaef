"""The way from the event loop to blocking code."""

import asyncio
from threading import Event

import pytest

from paas.threads import to_its_end

pytestmark = pytest.mark.anyio


async def test_what_was_begun_is_returned_and_not_undone() -> None:
    undone: list[str] = []
    assert await to_its_end(lambda: "begun", undo=undone.append) == "begun"
    assert undone == []


async def test_what_is_begun_when_the_caller_is_cancelled_is_undone_before_that_is_raised() -> None:
    gate, undone = Event(), list[str]()

    def begin() -> str:
        gate.wait()
        return "begun"

    task = asyncio.create_task(to_its_end(begin, undo=undone.append))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == ["begun"]


async def test_what_could_not_be_begun_is_not_undone() -> None:
    gate, undone = Event(), list[str]()

    def begin() -> str:
        gate.wait()
        raise OSError("the disk is full")

    task = asyncio.create_task(to_its_end(begin, undo=undone.append))
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == []
