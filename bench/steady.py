"""Whether the router stays as it is: its memory and file descriptors over ten million requests, the second half beside the
first. They are looked at each time that every kind of request has come.
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
    """Yield the router's memory and descriptors in the second half of its requests beside those in the first."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        app = stack.enter_context(quick_backend(folders[0]))
        router = stack.enter_context(mini(folders[1], app.port))
        sent, memory, descriptors = 0, [], []
        while sent < REQUESTS:
            sent = _send(router, until=min(sent + WARM, REQUESTS), sent=sent)
            megabytes, open_ones = _state(router)
            print(f"    after {sent:,} requests: {megabytes:.1f} MB, {open_ones} descriptors", flush=True)
            memory.append(megabytes)
            descriptors.append(open_ones)
        half = len(memory) // 2
        what = f"in the second half of {sent:,} requests"
        yield Row(f"memory {what}", "the first half", "MB", memory[half:], memory[:half], GOAL)
        yield Row(f"descriptors {what}", "the first half", "", descriptors[half:], descriptors[:half], 1.0)


def _send(router: Running, *, until: int, sent: int) -> int:
    """Send whole rounds of traffic; return how many requests there were by then."""
    while sent < until:
        sent += sum(requests_of(load, port=router.port) for load in TRAFFIC)
    return sent


def _state(router: Running) -> tuple[float, int]:
    time.sleep(SETTLED_SECONDS)
    process = psutil.Process(router.pid)
    return process.memory_info().rss / 1e6, process.num_fds()
