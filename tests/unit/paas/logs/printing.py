"""Processes and helpers that print as instances do."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from paas.domain.ids import AppId, InstanceId
from paas.domain.log import LogFilter, LogLine
from paas.logs.client import LogPlane

APP = AppId("a1b2")
WEB = InstanceId("00000000000000e1")
ALL = LogFilter()


def printing(program: str, fifo: Path) -> subprocess.Popen[bytes]:
    """Start `program` with `fifo` as its stdout, held as the process engine's instances hold it."""
    output = os.open(fifo, os.O_RDWR)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE
        )
    finally:
        os.close(output)


def write(fifo: Path, data: bytes) -> None:
    """Write `data` as an instance would, waiting for room."""
    output = os.open(fifo, os.O_RDWR)
    with open(output, "wb", buffering=0) as stream:  # noqa: PTH123 - a descriptor
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]


def kill(pid: int | None) -> None:
    """Kill a log plane at once, if one is there just now."""
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def ended(process: subprocess.Popen[bytes]) -> str:
    """End its input and return, when it has ended, what it printed to stderr."""
    _, errors = await asyncio.to_thread(process.communicate)
    return errors.decode()


async def collect(
    plane: LogPlane, *, id: InstanceId = WEB, instance: str = "web.1", version: int = 1
) -> Path:
    return await plane.collect(id=id, app=APP, instance=instance, version=version)


async def texts(plane: LogPlane, *, last: int = 1_000_000) -> list[str]:
    return [line.text for line in await plane.tail(APP, filter=ALL, last=last)]


async def followed(plane: LogPlane, *, count: int, after: int = 0, wanted: LogFilter = ALL) -> list[LogLine]:
    """Return the first `count` lines that a follower gets."""
    lines: list[LogLine] = []
    stream = plane.follow(APP, filter=wanted, after=after)
    async with asyncio.timeout(60):
        async for line in stream:
            lines.append(line)
            if len(lines) == count:
                break
    await stream.aclose()
    return lines
