"""`git-remote-mini`, which git starts for a remote `mini::APP`: git's own protocol, tunnelled to the server.

It speaks gitremote-helpers(7), capability `connect`, and understands nothing of what it carries.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from cli.target import LocalTarget, Target, reach
from paas.domain.names import app_name
from paas.errors import InvalidError, PaasError, UnreachableError, exit_code

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_BLOCK = 64 * 1024
_MESSAGE_LIMIT = 4 * 1024 * 1024
_OPEN_LIMIT = 30.0
_INTERRUPTED = 130


def run() -> None:
    """Serve git on standard input and output; exits with the code of the table in `paas.errors`."""
    try:
        code = serve(sys.argv, os.environ)
    except PaasError as error:
        _say(f"mini: {error.message}")
        code = exit_code(error.code)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        code = 1
    sys.stdout.flush()
    # Not sys.exit: the thread that reads git's side may be blocked in a read that never returns.
    os._exit(code)


def serve(argv: list[str], environ: Mapping[str, str]) -> int:
    """Answer git's commands until one connects or git has no more; return the exit code."""
    if len(argv) != 3:
        raise InvalidError("git-remote-mini is started by git: git push mini main, with a remote mini::APP.")
    app = app_name(argv[2])
    while command := _read_command():
        if command == "capabilities":
            _write(b"connect\n\n")
        elif command == "connect git-receive-pack":
            return _push(app, environ)
        else:
            raise InvalidError(
                f"mini takes pushes alone, git asked for {command!r}. Its repository is a copy of yours: "
                "fetch and clone from where the code lives."
            )
    return 0


def _push(app: str, environ: Mapping[str, str]) -> int:
    target = reach(environ, say=_say)
    deploy = "false" if environ.get("MINI_PUSH_STORE") == "1" else "true"
    with _open(target, f"/v1/apps/{quote(app)}/git/receive-pack?deploy={deploy}") as websocket:
        _write(b"\n")
        threading.Thread(target=_feed, args=[websocket], daemon=True).start()
        return _carry(websocket)


def _carry(websocket: "ClientConnection") -> int:
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
            _write(message)
            continue
        said = json.loads(message)
        if "problem" in said:
            _say(f"mini: {said['problem']['detail']}")
            return exit_code(said["problem"]["code"])
        return int(said["exit"])


def _feed(websocket: "ClientConnection") -> None:
    """Pass what git sends to the server, and then its end. That the server went away is seen in `_carry`."""
    from websockets.exceptions import ConnectionClosed

    with suppress(ConnectionClosed, OSError):
        while block := os.read(0, _BLOCK):
            websocket.send(block)
        websocket.send(json.dumps({"eof": True}))


def _open(target: Target, path: str) -> "ClientConnection":
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect, unix_connect

    try:
        if isinstance(target, LocalTarget):
            return unix_connect(
                str(target.socket),
                f"ws://localhost{path}",
                max_size=_MESSAGE_LIMIT,
                open_timeout=_OPEN_LIMIT,
                compression=None,
                proxy=None,
            )
        return connect(
            f"{'wss' if target.tls else 'ws'}://{target.host}:{target.port}{path}",
            additional_headers={"Authorization": f"Bearer {target.token}"} if target.token else {},
            max_size=_MESSAGE_LIMIT,
            open_timeout=_OPEN_LIMIT,
            compression=None,
            proxy=None,
        )
    except (OSError, WebSocketException) as error:
        raise UnreachableError(f"The server at {target} does not take the push: {error}.") from error


def _read_command() -> str:
    """Return git's next line, and not a byte beyond it: what follows a `connect` belongs to the protocol."""
    line = b""
    while byte := os.read(0, 1):
        if byte == b"\n":
            return line.decode(errors="replace")
        line += byte
    return ""


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
