"""Git's own protocol for a push, carried between git's descriptors and the server. What it carries it does not understand."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from cli.target import LocalTarget, Target
from cli.websocket import OPTIONS, headers, local_uri, remote_uri
from paas.errors import UnreachableError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_BLOCK = 64 * 1024
_END_LIMIT = 30.0


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
    with _open(target, f"/v1/apps/{quote(app)}/git/receive-pack?deploy={wanted}") as websocket:
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
    with theirs:
        yield theirs
    serving.join(_END_LIMIT)
    if failed:
        raise failed[0]


def write(sink: int, data: bytes) -> None:
    """Write all of `data`."""
    while data:
        data = data[os.write(sink, data) :]


def _answers(websocket: "ClientConnection", sink: int) -> int:
    """Pass what the server sends to git until it has ended; return the server's exit code."""
    from websockets.exceptions import ConnectionClosed

    while True:
        try:
            message = websocket.recv()
        except ConnectionClosed as error:
            raise UnreachableError(
                "The server went away during the push; see `mini releases`, then push again."
            ) from error
        if isinstance(message, bytes):
            write(sink, message)
            continue
        said = json.loads(message)
        if "problem" in said:
            from cli.client import raised

            raise raised(said["problem"])
        return int(said["exit"])


def _feed(source: int, websocket: "ClientConnection") -> None:
    """Pass what git sends to the server, and then its end; close `source`. That the server went away is seen in
    `_answers`."""
    from websockets.exceptions import ConnectionClosed

    try:
        with suppress(ConnectionClosed, OSError):
            while block := os.read(source, _BLOCK):
                websocket.send(block)
            websocket.send(json.dumps({"eof": True}))
    finally:
        os.close(source)


def _open(target: Target, path: str) -> "ClientConnection":
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect, unix_connect

    try:
        if isinstance(target, LocalTarget):
            return unix_connect(str(target.socket), local_uri(path), **OPTIONS)
        return connect(remote_uri(target, path), additional_headers=headers(target), **OPTIONS)
    except (OSError, WebSocketException) as error:
        raise UnreachableError(f"The server at {target} does not take the push: {error}.") from error
