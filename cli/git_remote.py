"""`git-remote-mini`, which git starts for a remote `mini::APP`: git's own protocol, tunnelled to the server.

It speaks gitremote-helpers(7), capability `connect`, and understands nothing of what it carries.
"""

import os
import sys
from collections.abc import Mapping

from cli.target import reach
from cli.tunnel import carry, write
from paas.domain.names import app_name
from paas.errors import InvalidError, PaasError, exit_code

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
            write(1, b"connect\n\n")
        elif command == "connect git-receive-pack":
            return _push(app, environ)
        else:
            raise InvalidError(
                f"mini takes pushes alone, git asked for {command!r}. Its repository is a copy of yours: "
                "fetch and clone from where the code lives."
            )
    return 0


def _push(app: str, environ: Mapping[str, str]) -> int:
    return carry(reach(environ, say=_say), app, deploy=True, source=0, sink=1, opened=lambda: write(1, b"\n"))


def _read_command() -> str:
    """Return git's next line, and not a byte beyond it: what follows a `connect` belongs to the protocol."""
    line = b""
    while byte := os.read(0, 1):
        if byte == b"\n":
            return line.decode(errors="replace")
        line += byte
    return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
