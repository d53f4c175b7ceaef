"""Whether the router stays as it is: its memory and file descriptors after ten million requests of every kind, beside
those after the first million.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil

from bench.router.contenders import Running, mini, quick_backend
from bench.router.load import Load, requests_of
from bench.row import Row

REQUESTS = 10_000_000
WARM = 1_000_000
CHUNK_SECONDS = 30
GOAL = 1.05
SETTLED_SECONDS = 6.0
"""By then the router has closed what nobody uses any more."""

TRAFFIC = (
    Load(seconds=CHUNK_SECONDS),
    Load(script="fresh.lua", seconds=CHUNK_SECONDS),
    Load(connections=512, seconds=CHUNK_SECONDS),
    Load(script="browser.lua", seconds=CHUNK_SECONDS),
    Load(script="closing.lua", seconds=3),
)


def rows() -> Iterator[Row]:
    """Yield the router's memory and descriptors at the end beside those at the beginning."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        app = stack.enter_context(quick_backend(folders[0]))
        router = stack.enter_context(mini(folders[1], app.port))
        loads = itertools.cycle(TRAFFIC)
        sent = _send(router, loads, until=WARM, sent=0)
        memory, descriptors = _state(router)
        print(f"    after {sent:,} requests: {memory:.1f} MB, {descriptors} descriptors", flush=True)
        sent = _send(router, loads, until=REQUESTS, sent=sent)
        memory_after, descriptors_after = _state(router)
        yield Row(f"memory after {sent:,} requests", "a million", "MB", [memory_after], [memory], GOAL)
        yield Row("descriptors", "a million", "", [descriptors_after], [descriptors], 1.0)


def _send(router: Running, loads: Iterator[Load], *, until: int, sent: int) -> int:
    while sent < until:
        sent += requests_of(next(loads), port=router.port)
    return sent


def _state(router: Running) -> tuple[float, int]:
    time.sleep(SETTLED_SECONDS)
    process = psutil.Process(router.pid)
    return process.memory_info().rss / 1e6, process.num_fds()
