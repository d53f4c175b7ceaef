"""Every line exactly once, whatever dies."""

import asyncio
import os
import random

import pytest

from paas.clock import SystemClock
from paas.domain.ids import InstanceId
from paas.domain.log import LogFilter
from paas.logs.client import LogPlane
from paas.settings import Settings
from tests.eventually import eventually_async
from tests.unit.paas.logs.printing import APP, WEB, collect, ended, kill, printing, texts, write

pytestmark = pytest.mark.anyio

FLOW = """
import select, sys
out, said = sys.stdout.buffer, 0
while not select.select([0], [], [], 0.0005)[0]:
    out.write(b''.join(b'%d %s\\n' % (n, b'.' * (n % 90)) for n in range(said, said + 50)))
    out.flush()
    said += 50
sys.stderr.write(str(said))
"""
"""Numbered lines until the standard input ends; then their number on stderr."""


async def test_twenty_kills_of_the_log_plane_lose_and_double_no_line(plane: LogPlane) -> None:
    instances = {f"web.{n}": InstanceId(f"e{n}") for n in (1, 2)}
    flows = {
        name: printing(FLOW, await collect(plane, id=id, instance=name)) for name, id in instances.items()
    }
    chance = random.Random(7)
    for said in range(20):
        pid = await eventually_async(lambda: _pid(plane))
        await asyncio.sleep(chance.uniform(0, 0.12))
        plane.say(APP, "router", str(said))
        kill(pid)
    written = {name: int(await ended(flow)) for name, flow in flows.items()}
    for name, id in instances.items():
        await plane.finish(id)
        lines = await plane.tail(APP, filter=LogFilter(instance=name), last=10_000_000)
        assert [int(line.text.split()[0]) for line in lines] == list(range(written[name]))
    said_lines = await plane.tail(APP, filter=LogFilter(source="mini"), last=100)
    assert [line.text for line in said_lines] == [str(said) for said in range(20)]
    everything = await plane.tail(APP, filter=LogFilter(), last=10_000_000)
    assert [line.sequence for line in everything] == list(range(1, sum(written.values()) + 21))


async def _pid(plane: LogPlane) -> int | None:
    return plane.pid


async def test_finish_waits_for_a_log_plane_that_is_being_restarted(plane: LogPlane) -> None:
    fifo = await collect(plane)
    kill(plane.pid)
    write(fifo, b"1\n2\n")
    await plane.finish(WEB)
    assert await texts(plane) == ["1", "2"]


async def test_a_killed_log_plane_is_back_under_another_pid(plane: LogPlane) -> None:
    before = plane.pid
    kill(before)
    await eventually_async(lambda: _other_pid(plane, before))


async def _other_pid(plane: LogPlane, before: int | None) -> bool:
    return plane.pid not in (None, before)


async def test_a_torn_record_is_cut_off_at_the_start(settings: Settings) -> None:
    plane = LogPlane(settings, clock=SystemClock())
    await plane.start()
    fifo = await collect(plane)
    held = os.open(fifo, os.O_RDWR)
    write(fifo, b"whole\n")
    await eventually_async(lambda: texts(plane))
    await plane.stop()
    [segment] = (settings.logs / APP).iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[-60:-20])
    again = LogPlane(settings, clock=SystemClock())
    await again.start()
    assert await texts(again) == ["whole"]
    os.write(held, b"after\n")
    os.close(held)
    await again.finish(WEB)
    lines = await again.tail(APP, filter=LogFilter(), last=10)
    assert [(line.sequence, line.text) for line in lines] == [(1, "whole"), (2, "after")]
    await again.stop()


async def test_lines_are_kept_over_a_crash_of_their_instance_while_the_log_plane_is_down(
    plane: LogPlane,
) -> None:
    fifo = await collect(plane)
    pid = plane.pid
    process = printing("import os\nfor i in range(100): print(i)\nprint(flush=True)\nos.abort()", fifo)
    kill(pid)
    await ended(process)
    await plane.finish(WEB)
    assert await texts(plane) == [*(str(i) for i in range(100)), ""]
