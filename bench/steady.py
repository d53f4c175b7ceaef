"""Whether the router stays as it is: its memory and file descriptors after ten million requests, beside those after the
first million or so, when every kind of them has come once.
"""

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
CHUNK_SECONDS = 12
GOAL = 1.05
SETTLED_SECONDS = 6.0
"""By then the router has closed what nobody uses any more."""

TRAFFIC = (
    Load(seconds=CHUNK_SECONDS),
    Load(script="fresh.lua", seconds=CHUNK_SECONDS),
    Load(connections=512, seconds=CHUNK_SECONDS),
    Load(script="browser.lua", seconds=CHUNK_SECONDS),
    Load(script="closing.lua", seconds=1),
)


def rows() -> Iterator[Row]:
    """Yield the router's memory and descriptors at the end beside those at the beginning."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        app = stack.enter_context(quick_backend(folders[0]))
        router = stack.enter_context(mini(folders[1], app.port))
        sent = warm = _send(router, until=WARM, sent=0)
        memory, descriptors = _state(router)
        print(f"    after {sent:,} requests: {memory:.1f} MB, {descriptors} descriptors", flush=True)
        while sent < REQUESTS:
            sent = _send(router, until=min(sent + WARM, REQUESTS), sent=sent)
            memory_after, descriptors_after = _state(router)
            print(f"    after {sent:,}: {memory_after:.1f} MB, {descriptors_after} descriptors", flush=True)
        yield Row(f"memory after {sent:,} requests", f"after {warm:,}", "MB", [memory_after], [memory], GOAL)
        yield Row("descriptors", f"after {warm:,}", "", [descriptors_after], [descriptors], 1.0)


def _send(router: Running, *, until: int, sent: int) -> int:
    """Send whole rounds of traffic; return how many requests there were by then."""
    while sent < until:
        sent += sum(requests_of(load, port=router.port) for load in TRAFFIC)
    return sent


def _state(router: Running) -> tuple[float, int]:
    time.sleep(SETTLED_SECONDS)
    process = psutil.Process(router.pid)
    return process.memory_info().rss / 1e6, process.num_fds()
