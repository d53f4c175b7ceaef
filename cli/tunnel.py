"""Git's own protocol for a push, carried between git's descriptors and the server. What it carries it does not understand."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cli.client import app_path, raised
from cli.target import Target
from cli.websocket import WebSocket, open_websocket
from paas.errors import UnreachableError

_BLOCK = 64 * 1024
_END_LIMIT = 30.0
_LEAVE_LIMIT = 0.5
"""Seconds that the server may take to hear that nothing is pushed after all."""


def carry(
    target: Target,
    app: str,
    *,
    deploy: bool,
    source: int,
    sink: int,
    opened: Callable[[], object] = lambda: None,
) -> int:
    """Carry what git writes to `source` to the server and its answers to `sink`; return the exit code that the server
    ends with. `opened` is called before the first byte. `source` is closed once git has no more. Raises the PaasError
    of the server's problem, UnreachableError.
    """
    wanted = "true" if deploy else "false"
    with _open(target, f"{app_path(app)}/git/receive-pack?deploy={wanted}") as websocket:
        opened()
        threading.Thread(target=_feed, args=[source, websocket], daemon=True).start()
        return _answers(websocket, sink)


@contextmanager
def tunnel(target: Target, app: str) -> Iterator[socket.socket]:
    """Yield a socket on which git stores what it pushes, deploying nothing; no process but git's own is started.

    What the server or the way to it refused is raised at the end, as `carry` does.
    """
    ours, theirs = socket.socketpair()
    failed: list[Exception] = []

    def serve() -> None:
        with ours:
            try:
                # A descriptor of its own for what reads it, which may outlast this one.
                carry(target, app, deploy=False, source=os.dup(ours.fileno()), sink=ours.fileno())
            except (BrokenPipeError, ConnectionResetError):
                pass  # git itself went away, and says why
            except Exception as error:  # noqa: BLE001 - raised where the command is
                failed.append(error)
            ours.shutdown(socket.SHUT_RDWR)  # git sees an end where there is no more to come

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        with theirs:
            yield theirs
    except BaseException:
        serving.join(_LEAVE_LIMIT)
        raise
    serving.join(_END_LIMIT)
    if failed:
        raise failed[0]


def write(sink: int, data: bytes) -> None:
    """Write all of `data`."""
    while data:
        data = data[os.write(sink, data) :]


def _answers(websocket: WebSocket, sink: int) -> int:
    """Pass what the server sends to git until it has ended; return the server's exit code."""
    for message in _heard(websocket):
        if isinstance(message, bytes):
            write(sink, message)
            continue
        said = json.loads(message)
        if "problem" in said:
            raise raised(said["problem"])
        return int(said["exit"])
    raise _gone()


def _heard(websocket: WebSocket) -> Iterator[bytes | str]:
    """Yield what comes. That the connection broke is the server's matter, that a write failed is git's."""
    try:
        yield from websocket.messages()
    except OSError as error:
        raise _gone() from error


def _gone() -> UnreachableError:
    return UnreachableError("The server went away during the push; see `mini releases`, then push again.")


def _feed(source: int, websocket: WebSocket) -> None:
    """Pass what git sends to the server, and then its end; close `source`. That the server went away is seen in
    `_answers`."""
    try:
        with suppress(OSError):
            while block := _next_block(source):
                websocket.send(block)
            websocket.send(json.dumps({"eof": True}))
    finally:
        os.close(source)


def _next_block(source: int) -> bytes:
    try:
        return os.read(source, _BLOCK)
    except ConnectionResetError:  # git went away and left something unread: it has no more to say either
        return b""


def _open(target: Target, path: str) -> WebSocket:
    try:
        return open_websocket(target, path)
    except OSError as error:
        raise UnreachableError(f"The server at {target} does not take the push: {error}.") from error
