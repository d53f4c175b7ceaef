"""The platform's lines go into the FIFO as they fit, and never hold anyone up."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.ids import AppId
from paas.domain.log import LINE_LIMIT
from paas.platform_lines import BUFFER_LIMIT, PlatformLines

APP = AppId("shop")


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    return path


@pytest.fixture
def reader(fifo: Path) -> Iterator[int]:
    file = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    yield file
    os.close(file)


def test_a_line_carries_its_app_source_instance_and_version(fifo: Path, reader: int) -> None:
    lines = PlatformLines(fifo, clock=SystemClock())
    lines.say(APP, "web.1", "two\nlines \udcff", version=3)
    assert lines.flush()
    _, line, end = os.read(reader, 4096).split(b"\n")
    assert line.split(b"\t")[1:] == [b"shop", b"mini", b"web.1", b"3", b"two lines ?"]
    assert end == b""
    lines.close()


def test_a_line_over_the_limit_becomes_several(fifo: Path, reader: int) -> None:
    lines = PlatformLines(fifo, clock=SystemClock())
    lines.say(APP, "web.1", "x" * (LINE_LIMIT + 1))
    assert b"\tx\n" in _drained(lines, reader)
    lines.close()


def test_lines_beyond_the_buffer_are_dropped_and_counted(fifo: Path, reader: int) -> None:
    lines = PlatformLines(fifo, clock=SystemClock())
    said = 0
    while not lines.dropped:
        lines.say(APP, "router", "y" * 10_000)
        said += 1
    assert not lines.flush()
    assert said * 10_100 > BUFFER_LIMIT
    assert b"1 lines of the platform were dropped" in _drained(lines, reader)
    lines.close()


def _drained(lines: PlatformLines, reader: int) -> bytes:
    data = b""
    while True:
        is_empty = lines.flush()
        try:
            data += os.read(reader, 1 << 20)
        except BlockingIOError:
            if is_empty:
                return data
