"""The log plane as the control plane sees it, with the real process."""

import asyncio
import os
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.ids import InstanceId
from paas.domain.log import LINE_LIMIT, LogFilter
from paas.logs.client import LogPlane
from paas.logs.connection import PlaneConnection
from paas.logs.keeper import Keeper
from paas.settings import Settings
from tests.eventually import eventually, eventually_async
from tests.unit.paas.logs.printing import (
    ALL,
    APP,
    WEB,
    collect,
    ended,
    followed,
    kill,
    printing,
    texts,
    write,
)

pytestmark = pytest.mark.anyio


async def test_lines_are_stored_in_order_with_their_instance_and_version(plane: LogPlane) -> None:
    fifo = await collect(plane, version=7)
    write(fifo, b"one\ntwo\n")
    await plane.finish(WEB)
    lines = await plane.tail(APP, filter=ALL, last=10)
    assert [(x.sequence, x.source, x.instance, x.version, x.text) for x in lines] == [
        (1, "app", "web.1", 7, "one"),
        (2, "app", "web.1", 7, "two"),
    ]


async def test_the_fifo_is_private_and_goes_with_its_instance(plane: LogPlane) -> None:
    fifo = await collect(plane)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert stat.S_IMODE(fifo.stat().st_mode) == 0o600
    await plane.finish(WEB)
    assert not fifo.exists()
    assert not list(fifo.parent.glob(f"{WEB}*"))


async def test_finish_may_be_repeated(plane: LogPlane) -> None:
    await collect(plane)
    await plane.finish(WEB)
    await plane.finish(WEB)


async def test_the_last_line_of_a_dead_instance_needs_no_newline(plane: LogPlane) -> None:
    write(await collect(plane), b"whole\nhalf")
    await plane.finish(WEB)
    assert await texts(plane) == ["whole", "half"]


async def test_odd_bytes_are_shown_and_harm_no_other_line(plane: LogPlane) -> None:
    write(await collect(plane), b"a\xff\xc3b\nnul\0here\ncrlf\r\nmid\rdle\n\nlast\n")
    await plane.finish(WEB)
    assert await texts(plane) == ["a\ufffd\ufffdb", "nul\0here", "crlf", "mid\rdle", "", "last"]


async def test_a_line_over_the_limit_is_split(plane: LogPlane) -> None:
    write(await collect(plane), b"x" * (2 * LINE_LIMIT + 5) + b"\nnext\n")
    await plane.finish(WEB)
    assert [len(text) for text in await texts(plane)] == [LINE_LIMIT, LINE_LIMIT, 5, 4]


async def test_a_line_of_100_mb_takes_no_memory(plane: LogPlane) -> None:
    fifo = await collect(plane)
    before = _resident(plane)
    process = printing("import sys\nfor _ in range(100): sys.stdout.write('y' * 1_000_000)", fifo)
    await ended(process)
    await plane.finish(WEB)
    assert _resident(plane) - before < 20 * 1024 * 1024
    lines = await plane.tail(APP, filter=ALL, last=1)
    assert lines[0].sequence == -(-100_000_000 // LINE_LIMIT)


def _resident(plane: LogPlane) -> int:
    status = Path(f"/proc/{plane.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def test_the_platform_speaks_between_the_lines_of_instances(plane: LogPlane) -> None:
    plane.say(APP, "web.1", "State changed from starting to up", version=2)
    plane.say(APP, "release.1", "Migrating\nnow", version=2, source="app")
    [first, second] = await eventually_async(lambda: plane.tail(APP, filter=ALL, last=2))
    assert (first.source, first.instance, first.text) == (
        "mini",
        "web.1",
        "State changed from starting to up",
    )
    assert (second.source, second.instance, second.text) == ("app", "release.1", "Migrating now")


async def test_tail_reads_what_a_filter_lets_pass(plane: LogPlane) -> None:
    write(await collect(plane), b"".join(b"line %d\n" % i for i in range(1000)))
    await plane.finish(WEB)
    write(await collect(plane, id=InstanceId("e2"), instance="worker.1", version=2), b"line of a worker\n")
    await plane.finish(InstanceId("e2"))

    async def passing(wanted: LogFilter, last: int = 3) -> list[str]:
        return [line.text for line in await plane.tail(APP, filter=wanted, last=last)]

    [line] = await plane.tail(APP, filter=LogFilter(version=2), last=5)
    assert await passing(LogFilter(instance="web")) == ["line 997", "line 998", "line 999"]
    assert await passing(LogFilter(instance="worker")) == ["line of a worker"]
    assert await passing(LogFilter(pattern=re.compile("99$"))) == ["line 799", "line 899", "line 999"]
    assert await passing(LogFilter(source="mini")) == []
    assert len(await passing(LogFilter(since=line.at))) >= 1
    assert await passing(LogFilter(since=line.at + timedelta(seconds=1))) == []
    assert await passing(LogFilter(until=line.at - timedelta(days=1))) == []
    assert (await passing(LogFilter(until=line.at)))[-1] == "line of a worker"
    assert await passing(ALL, last=0) == []


async def test_an_app_without_lines_has_an_empty_log(plane: LogPlane) -> None:
    assert await texts(plane) == []
    assert await plane.latest(APP) == 0


async def test_follow_gives_what_there_is_and_then_what_comes(plane: LogPlane) -> None:
    fifo = await collect(plane)
    write(fifo, b"1\n2\n3\n")
    await eventually_async(lambda: texts(plane))
    following = asyncio.create_task(followed(plane, after=1, count=4))
    await eventually_async(lambda: plane.latest(APP))
    write(fifo, b"4\n")
    write(fifo, b"5\n")
    assert [line.text for line in await following] == ["2", "3", "4", "5"]


async def test_follow_goes_on_over_a_restart_of_the_log_plane(plane: LogPlane) -> None:
    fifo = await collect(plane)
    following = asyncio.create_task(followed(plane, count=300))
    for start in range(0, 300, 100):
        write(fifo, b"".join(b"%d\n" % i for i in range(start, start + 100)))
        kill(plane.pid)
    assert [line.text for line in await following] == [str(i) for i in range(300)]


async def test_a_follower_that_does_not_read_holds_nobody_up(plane: LogPlane) -> None:
    fifo = await collect(plane)
    slow = plane.follow(APP, filter=ALL, after=0)
    write(fifo, b"first\n")
    assert (await anext(slow)).text == "first"
    await ended(printing("for i in range(200_000): print(i)", fifo))
    await plane.finish(WEB)
    assert await plane.latest(APP) == 200_001
    assert [(await anext(slow)).text for _ in range(200_000)] == [str(i) for i in range(200_000)]
    await slow.aclose()


async def test_a_flood_stays_within_the_budget_and_keeps_the_newest(settings: Settings) -> None:
    small = Settings(home=settings.home, log_budget=2 * 1024 * 1024)
    plane = LogPlane(small, clock=SystemClock())
    await plane.start()
    fifo = await collect(plane)
    await ended(printing("for i in range(200_000): print('a line of some length, number', i)", fifo))
    await plane.finish(WEB)
    kept = sum(path.stat().st_size for path in (settings.logs / APP).iterdir())
    assert 1024 * 1024 < kept <= 2 * 1024 * 1024
    lines = await plane.tail(APP, filter=ALL, last=10_000)
    assert [line.sequence for line in lines] == list(range(190_001, 200_001))
    [notice, oldest] = await followed(plane, after=1, count=2)
    assert (notice.source, notice.instance, notice.sequence + 1) == ("mini", "logs", oldest.sequence)
    await plane.stop()


async def test_a_new_control_plane_adopts_the_running_log_plane(settings: Settings) -> None:
    first = LogPlane(settings, clock=SystemClock())
    await first.start()
    fifo = await collect(first)
    process = printing("import time\nfor i in range(1000): print(i, flush=True)", fifo)
    pid = first.pid
    await first.detach()
    await ended(process)
    second = LogPlane(settings, clock=SystemClock())
    await second.start()
    assert second.pid == pid
    await collect(second)
    await second.finish(WEB)
    assert await texts(second) == [str(i) for i in range(1000)]
    await second.stop()
    eventually(lambda: not Path(f"/proc/{pid}").exists())


async def test_the_log_plane_goes_on_with_its_sources_while_no_control_plane_is_there(
    settings: Settings,
) -> None:
    first = LogPlane(settings, clock=SystemClock())
    await first.start()
    fifo = await collect(first)
    held = os.open(fifo, os.O_RDWR)
    await first.stop()
    os.write(held, b"said while all planes were down\n")
    second = LogPlane(settings, clock=SystemClock())
    await second.start()
    assert await eventually_async(lambda: texts(second)) == ["said while all planes were down"]
    await second.finish(WEB)
    os.close(held)
    await second.stop()


async def test_stop_stores_all_that_was_written(settings: Settings) -> None:
    plane = LogPlane(settings, clock=SystemClock())
    await plane.start()
    write(await collect(plane), b"z\n" * 50_000)
    plane.say(APP, "web.1", "the end")
    await plane.stop()
    assert len(await texts(plane)) == 50_001


@pytest.mark.parametrize("after", [0, 1], ids=["from the first line", "from the last line"])
@pytest.mark.parametrize("left", [0.0, 0.1], ids=["passed", "to come"])
async def test_a_follower_until_a_time_gets_the_lines_there_are_and_comes_to_the_end_then(
    left: float, after: int, plane: LogPlane
) -> None:
    write(await collect(plane), b"stored\n")
    await plane.finish(WEB)
    wanted = LogFilter(until=SystemClock().now() + timedelta(seconds=left))
    async with asyncio.timeout(60):
        lines = [line.text async for line in plane.follow(APP, filter=wanted, after=after)]
    assert lines == ["stored"][after:]


async def test_a_follower_of_a_forgotten_app_comes_to_the_end(plane: LogPlane) -> None:
    write(await collect(plane), b"last\n")
    following = plane.follow(APP, filter=LogFilter(), after=0)
    assert (await anext(following)).text == "last"
    rest = asyncio.ensure_future(anext(following, None))
    await asyncio.sleep(0)
    await plane.forget(APP)
    assert await asyncio.wait_for(rest, 10) is None


async def test_a_forgotten_app_leaves_nothing(plane: LogPlane, settings: Settings) -> None:
    write(await collect(plane), b"secret\n")
    await plane.forget(APP)
    assert not (settings.logs / APP).exists()
    assert await texts(plane) == []


async def test_a_mistake_in_keeping_the_plane_is_logged_and_does_not_end_it(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    mistakes = [RuntimeError("a mistake")]

    async def greet(_: PlaneConnection) -> None:
        if mistakes:
            raise mistakes.pop()

    keeper = Keeper(settings, clock=SystemClock(), greet=greet, listener=lambda _: None)
    await keeper.start(within=5)
    await keeper.stop()
    assert [record.message for record in caplog.records if record.exc_info] == [
        "log plane not kept by a mistake of mini"
    ]
