"""A one-off's other end: its output, and our input, terminal size and signals, over a WebSocket."""

import asyncio
import json
import os
import signal
import sys
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from cli import terminal as tty
from cli.client import raised
from cli.target import Target
from cli.websocket import open_websocket
from paas.errors import RunFailedError, UnreachableError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_BLOCK = 64 * 1024
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def attach(target: Target, path: str, request: dict[str, object], *, terminal: bool) -> int:
    """Run what `request` (a NewRun) asks for, and return its exit code.

    Raises the PaasError that the server answers with, and UnreachableError where it goes away.
    """
    from websockets.exceptions import ConnectionClosed, WebSocketException

    with_terminal = terminal and tty.has_terminal()
    try:
        async with open_websocket(target, path) as socket:
            await socket.send(json.dumps({**request, "terminal": tty.size() if with_terminal else None}))
            with tty.raw() if with_terminal else nullcontext():
                return await _converse(socket, with_terminal=with_terminal)
    except ConnectionClosed as error:
        raise UnreachableError("The server went away, and the command was ended with it.") from error
    except (OSError, WebSocketException) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UnreachableError(f"The server at {target} does not take the run: {error}.") from error


async def _converse(socket: "ClientConnection", *, with_terminal: bool) -> int:
    orders: asyncio.Queue[str] = asyncio.Queue()
    sending = asyncio.create_task(_send(socket, orders))
    try:
        async for message in socket:
            if isinstance(message, bytes):
                _write(message)
                continue
            said = json.loads(message)
            if "problem" in said:
                raise raised(said["problem"])
            if "exit" in said:
                return int(said["exit"])
            # Started: only now is there something to pass input and signals to.
            _pass_signals(orders, with_terminal=with_terminal)
            threading.Thread(target=_feed, args=[socket, asyncio.get_running_loop()], daemon=True).start()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    raise RunFailedError("The server said nothing of how the command ended.")


def _pass_signals(orders: "asyncio.Queue[str]", *, with_terminal: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in _FORWARDED:
        loop.add_signal_handler(number, orders.put_nowait, json.dumps({"signal": int(number)}))
    if with_terminal:
        loop.add_signal_handler(
            signal.SIGWINCH, lambda: orders.put_nowait(json.dumps({"resize": tty.size()}))
        )


async def _send(socket: "ClientConnection", orders: "asyncio.Queue[str]") -> None:
    while True:
        await socket.send(await orders.get())


def _feed(socket: "ClientConnection", loop: asyncio.AbstractEventLoop) -> None:
    """Pass standard input on, a block at a time, and then its end. Runs on a thread: any kind of file will do."""
    from websockets.exceptions import ConnectionClosed

    def deliver(message: bytes | str) -> None:
        asyncio.run_coroutine_threadsafe(socket.send(message), loop).result()

    with suppress(ConnectionClosed, OSError, RuntimeError):
        while block := os.read(sys.stdin.fileno(), _BLOCK):
            deliver(block)
        deliver(json.dumps({"eof": True}))


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]
