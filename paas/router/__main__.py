"""One router process: `python -I -m paas.router`. It loads its last table, and then follows its control socket."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path

from paas.clock import SystemClock
from paas.platform_lines import PlatformLines
from paas.router.control import ControlServer
from paas.router.loop import RouterLoop
from paas.router.server import RouterServer
from paas.router.table import last_table
from paas.server_log import say_on_stderr

log = logging.getLogger("paas.router")


def main(argv: Sequence[str]) -> None:
    """Run a router until SIGTERM."""
    options = _parser().parse_args(argv)
    say_on_stderr()
    with asyncio.Runner(loop_factory=RouterLoop) as runner:
        runner.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lines = PlatformLines(options.log_fifo, clock=SystemClock())
    https = None if options.https_fd is None else socket.socket(fileno=options.https_fd)
    router = RouterServer(socket.socket(fileno=options.listen_fd), lines=lines, https=https)
    router.apply(last_table(options.table))
    control = ControlServer(router, options.control, index=options.index, code=options.code)
    await control.start()
    router.start()
    gc.freeze()  # What the start has made stays: no collection needs to look at it again.
    if options.ready_fd is not None:
        os.write(options.ready_fd, b"\n")
        os.close(options.ready_fd)
    log.info("router started", extra={"index": options.index})
    await _first_of(stop.wait(), router.until_retired())
    await router.stop()
    await control.stop()
    lines.close()


async def _first_of(*ends: Coroutine[None, None, object]) -> None:
    tasks = [asyncio.create_task(end) for end in ends]
    _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m paas.router", description=__doc__)
    parser.add_argument("--index", type=int, required=True, help="which of the routers this is, from 0")
    parser.add_argument("--code", default="", help="the version of the code that it is, told to whoever asks")
    parser.add_argument("--listen-fd", type=int, required=True, help="the inherited listening socket")
    parser.add_argument("--https-fd", type=int, help="the one for HTTPS")
    parser.add_argument("--table", type=Path, required=True, help="the file with the last routing table")
    parser.add_argument("--control", type=Path, required=True, help="where to make the control socket")
    parser.add_argument("--log-fifo", type=Path, required=True, help="the FIFO for the access log")
    parser.add_argument("--ready-fd", type=int, help="gets a byte once requests are served")
    return parser


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
