"""A one-off's other end: its output, and our input, terminal size and signals, over a WebSocket."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
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
_BLOCKS_UNDER_WAY = 16
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def attach(target: Target, path: str, request: dict[str, object], *, terminal: bool) -> int:
    """Run what `request` (a NewRun) asks for, and return its exit code.

    Raises the PaasError that the server answers with, and UnreachableError where it goes away.
    """
    from websockets.exceptions import ConnectionClosed, WebSocketException

    with_terminal = terminal and tty.has_terminal()
    try:
        async with open_websocket(target, path) as socket:
            await socket.send(json.dumps({**request, **_of_terminal(there=with_terminal)}))
            with tty.raw() if with_terminal else nullcontext():
                return await _converse(socket, with_terminal=with_terminal)
    except ConnectionClosed as error:
        raise UnreachableError("The server went away, and the command was ended with it.") from error
    except (OSError, WebSocketException) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UnreachableError(f"The server at {target} does not take the run: {error}.") from error


def _of_terminal(*, there: bool) -> dict[str, object]:
    return {"terminal": tty.size(), "term": os.environ.get("TERM")} if there else {"terminal": None}


async def _converse(socket: "ClientConnection", *, with_terminal: bool) -> int:
    outbox = _Outbox()
    sending = asyncio.create_task(outbox.send_to(socket))
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
            _pass_signals(outbox, with_terminal=with_terminal)
            threading.Thread(target=_feed, args=[outbox], daemon=True).start()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    raise RunFailedError("The server said nothing of how the command ended.")


class _Outbox:
    """What is on its way to the server. Input waits for room; signals and sizes are few and never wait."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._room = threading.Semaphore(_BLOCKS_UNDER_WAY)

    def order(self, document: Mapping[str, object]) -> None:
        """Send an order soon; called on the loop's thread."""
        self._messages.put_nowait(json.dumps(document))

    def feed(self, block: bytes) -> None:
        """Send input once there is room; called on a thread. Raises RuntimeError when nobody sends any more."""
        self._room.acquire()
        self._loop.call_soon_threadsafe(self._messages.put_nowait, block)

    def end(self) -> None:
        """Send the end of input; called on a thread. Raises RuntimeError when nobody sends any more."""
        self._loop.call_soon_threadsafe(self.order, {"eof": True})

    async def send_to(self, socket: "ClientConnection") -> None:
        """Send all that comes, in order, until cancelled."""
        while True:
            message = await self._messages.get()
            await socket.send(message)
            if isinstance(message, bytes):
                self._room.release()


def _pass_signals(outbox: _Outbox, *, with_terminal: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in _FORWARDED:
        loop.add_signal_handler(number, outbox.order, {"signal": int(number)})
    if with_terminal:
        loop.add_signal_handler(signal.SIGWINCH, lambda: outbox.order({"resize": tty.size()}))


def _feed(outbox: _Outbox) -> None:
    """Pass standard input on, a block at a time, and then its end. Runs on a thread: any kind of file will do."""
    with suppress(OSError, RuntimeError):
        while block := os.read(sys.stdin.fileno(), _BLOCK):
            outbox.feed(block)
        outbox.end()


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]
