"""How many lines a second go from an app's stdout to the disk and to one follower; beside `honcho start` into a file."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.row import Row
from paas.clock import SystemClock
from paas.domain.ids import AppId, InstanceId
from paas.domain.log import LogFilter
from paas.logs.client import LogPlane
from paas.settings import Settings

OURS = 1_000_000
THEIRS = 100_000
SAMPLES = 3
GOAL = 5.0

PRINTER = """
import sys
line = b'2026-01-01 an ordinary line of a log, of some sixty bytes or so\\n'
for _ in range(int(sys.argv[1])):
    sys.stdout.buffer.write(line)
"""
APP = AppId("bench")
INSTANCE = InstanceId("bench")


def rows() -> Iterator[Row]:
    """Yield lines per second, every line stored and given to the follower, and the log plane's CPU per line."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "printer.py"
        script.write_text(PRINTER)
        ours = [asyncio.run(_mini(Path(folder) / f"home{n}", script)) for n in range(SAMPLES)]
        theirs = [_honcho(Path(folder), script) for _ in range(SAMPLES)]
    rates, costs = [rate for rate, _ in ours], [cost for _, cost in ours]
    yield Row(
        "log lines to disk + follower", "honcho start", "lines/s", rates, theirs, GOAL, more_is_better=True
    )
    yield Row("log plane's CPU", "a goal of 1 µs", "µs/line", costs, [1.0], 1.0)


async def _mini(home: Path, script: Path) -> tuple[float, float]:
    """Return lines/s and the log plane's µs of CPU per line."""
    plane = LogPlane(Settings(home=home, log_budget=1 << 30), clock=SystemClock())
    await plane.start()
    fifo = await plane.collect(id=INSTANCE, app=APP, instance="web.1", version=1)
    used, began = _cpu(plane), time.monotonic()
    follower = asyncio.create_task(_follow(plane))
    await asyncio.to_thread(_print, script, fifo)
    await plane.finish(INSTANCE)
    await follower
    rate, cost = OURS / (time.monotonic() - began), (_cpu(plane) - used) * 1e6 / OURS
    await plane.stop()
    return rate, cost


def _print(script: Path, fifo: Path) -> None:
    output = os.open(fifo, os.O_RDWR)
    try:
        subprocess.run([sys.executable, str(script), str(OURS)], stdout=output, check=True)
    finally:
        os.close(output)


async def _follow(plane: LogPlane) -> None:
    sequence = 0
    async for line in plane.follow(APP, filter=LogFilter(), after=0):
        sequence += 1
        if line.sequence != sequence:
            raise AssertionError(f"Line {sequence} was lost.")
        if sequence == OURS:
            return


def _cpu(plane: LogPlane) -> float:
    fields = Path(f"/proc/{plane.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _honcho(folder: Path, script: Path) -> float:
    """Return lines/s of honcho with its output in a file."""
    (folder / "Procfile").write_text(f"web: {sys.executable} {script} {THEIRS}\n")
    with (folder / "out").open("wb") as output:
        began = time.monotonic()
        command = [sys.executable, "-m", "honcho", "start", "-d", str(folder)]
        subprocess.run(command, stdout=output, stderr=subprocess.DEVNULL, check=True)
        elapsed = time.monotonic() - began
    lines = (folder / "out").read_bytes().count(b"ordinary line")
    if lines != THEIRS:
        raise AssertionError(f"honcho printed {lines} of {THEIRS} lines.")
    return THEIRS / elapsed
