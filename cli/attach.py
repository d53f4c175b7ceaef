"""A one-off's other end: its output, and our input, terminal size and signals, over a WebSocket."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from queue import SimpleQueue
from types import FrameType

from cli import terminal as tty
from cli.client import raised
from cli.target import Target
from cli.websocket import WebSocket, open_websocket
from paas.errors import RunFailedError, UnreachableError

_BLOCK = 64 * 1024
_WINDOW = 256 * 1024
"""Bytes of input that may be on the way, sent and not yet taken (docs/api.md)."""
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def attach(target: Target, path: str, request: dict[str, object], *, terminal: bool) -> int:
    """Run what `request` (a NewRun) asks for, and return its exit code.

    Raises the PaasError that the server answers with, and UnreachableError where it goes away.
    """
    with_terminal = terminal and tty.has_terminal()
    wanted = {**request, **_of_terminal(there=with_terminal)}
    with _open(target, path) as socket, tty.raw() if with_terminal else nullcontext():
        return _converse(socket, wanted, with_terminal=with_terminal)


def _open(target: Target, path: str) -> WebSocket:
    try:
        return open_websocket(target, path)
    except OSError as error:
        raise UnreachableError(f"The server at {target} does not take the run: {error}.") from error


def _of_terminal(*, there: bool) -> dict[str, object]:
    return {"terminal": tty.size(), "term": os.environ.get("TERM")} if there else {"terminal": None}


def _converse(socket: WebSocket, wanted: Mapping[str, object], *, with_terminal: bool) -> int:
    outbox = _Outbox(socket)
    for message in _answers(socket, wanted):
        if isinstance(message, bytes):
            _write(message)
            continue
        match json.loads(message):
            case {"problem": problem}:
                raise raised(problem)
            case {"exit": code}:
                return int(code)
            case {"taken": size}:
                outbox.taken(int(size))
            case {"started": _}:
                # Only now is there something to pass input and signals to.
                _pass_signals(outbox, with_terminal=with_terminal)
                threading.Thread(target=_feed, args=[outbox], daemon=True).start()
    raise RunFailedError("The server said nothing of how the command ended.")


def _answers(socket: WebSocket, wanted: Mapping[str, object]) -> Iterator[bytes | str]:
    """Ask, and yield what comes. That the connection broke is the server's matter, that a write failed our reader's."""
    try:
        socket.send(json.dumps(wanted))
        yield from socket.messages()
    except OSError as error:
        raise UnreachableError("The server went away, and the command was ended with it.") from error


class _Outbox:
    """What is on its way to the server, on a thread of its own. Input waits for room in the window; signals and sizes
    are few and never wait: what handles them may not."""

    def __init__(self, socket: WebSocket) -> None:
        self._messages: SimpleQueue[bytes | str] = SimpleQueue()
        self._room = _WINDOW
        self._more_room = threading.Condition()
        threading.Thread(target=self._send, args=[socket], daemon=True).start()

    def order(self, document: Mapping[str, object]) -> None:
        """Send an order soon."""
        self._messages.put(json.dumps(document))

    def room(self) -> int:
        """Return how much input may be sent, once there is room for any."""
        with self._more_room:
            self._more_room.wait_for(lambda: self._room > 0)
            return self._room

    def feed(self, block: bytes) -> None:
        """Send input for which there is room."""
        with self._more_room:
            self._room -= len(block)
        self._messages.put(block)

    def taken(self, size: int) -> None:
        """Make room for as much input as the command has taken."""
        with self._more_room:
            self._room += size
            self._more_room.notify()

    def _send(self, socket: WebSocket) -> None:
        with suppress(OSError):  # that the server went away is seen where its messages are read
            while True:
                socket.send(self._messages.get())


def _pass_signals(outbox: _Outbox, *, with_terminal: bool) -> None:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        resized = number == signal.SIGWINCH
        outbox.order({"resize": tty.size()} if resized else {"signal": number})

    for number in (*_FORWARDED, *([signal.SIGWINCH] if with_terminal else [])):
        signal.signal(number, pass_on)


def _feed(outbox: _Outbox) -> None:
    """Pass standard input on, a block at a time, and then its end. Runs on a thread: any kind of file will do."""
    with suppress(OSError):
        while block := os.read(sys.stdin.fileno(), min(outbox.room(), _BLOCK)):
            outbox.feed(block)
        outbox.order({"eof": True})


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]
