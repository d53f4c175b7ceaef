"""The log plane's process: `python -I -m paas.logs --runtime DIR --logs DIR --socket PATH --budget BYTES`.

It says `ready` on stdout once it listens, and what it has to say of itself on stderr. The standard library is all it
imports, to stay small.
"""

import os
import resource
import sys
from pathlib import Path

from paas.logs.server import LogServer, say


def main() -> int:
    """Serve until asked to stop; return 75 where another log plane of this home runs."""
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    os.umask(0o077)
    _raise_file_limit()
    folder = Path(options["--runtime"])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        server = LogServer(
            folder,
            logs=Path(options["--logs"]),
            socket_path=Path(options["--socket"]),
            budget=int(options["--budget"]),
        )
    except BlockingIOError:
        say("Another log plane of this home runs.")
        return os.EX_TEMPFAIL
    _say_ready()
    server.run()
    return os.EX_OK


def _raise_file_limit() -> None:
    """A source takes two descriptors; the usual limit of 1024 is there for select(2), which nobody here uses."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say_ready() -> None:
    os.write(1, b"ready\n")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
