"""Starting the local server as a process of its own. It never serves anything itself."""

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cli.client import Client
from cli.target import LocalTarget
from cli.waiting import comes_true
from paas.errors import DiskFullError, InvalidError, PaasError, UnreachableError
from paas.settings import Settings

START_LIMIT = 30.0
PRINT_LIMIT = 4 * 1024 * 1024
"""Size in bytes from which the server's own printing goes on in a new file at its next start; one older file is kept."""
_TAIL = 15
_INSTANCE_MARKERS = ("MINI_INSTANCE_ID", "MINI_HOME_ID")
"""What marks the processes of an instance, which end with it: a server that is started from within one is none."""
COMMAND = ("-I", "-m", "api.server")
"""What python is given; the server takes its settings from `MINI_*` in its environment."""


def start_server(target: LocalTarget, environ: Mapping[str, str]) -> int:
    """Return the pid of the server once it answers; raises UnreachableError with the end of its log otherwise.

    Settings that cannot be read start nothing: InvalidError.
    """
    Settings.from_environment(environ)
    log = target.paths.server_logs / "control.log"
    try:
        offset = _prepare(log)
        child = _spawn(log, environ)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError from error
        raise InvalidError(
            f"{target.paths.home} cannot be the state directory: {error.strerror}. "
            "Name a directory of your own with MINI_HOME, or one that can be made."
        ) from error
    healthy = comes_true(lambda: is_healthy(target) or child.poll() is not None, within=START_LIMIT)
    # The loser of two starts at once ends early: then the other one's server is the one to wait for.
    if child.poll() is not None:
        healthy = comes_true(lambda: is_healthy(target), within=2.0)
    if not healthy:
        raise _failure(child.poll(), log=log, offset=offset)
    return child.pid


def run_in_foreground(environ: Mapping[str, str]) -> None:
    """Become the server: this never returns."""
    os.execve(sys.executable, [sys.executable, *COMMAND], environment_of_server(environ))  # noqa: S606 - argv, no shell


def is_healthy(target: LocalTarget) -> bool:
    """Return whether the server behind `target` says that it is well."""
    if not target.answers():
        return False
    try:
        Client(target).get("/healthz", dict[str, str])
    except PaasError:
        return False
    return True


def _prepare(log: Path) -> int:
    """Return where the new server's printing begins in its log, which has room for it."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists() and log.stat().st_size > PRINT_LIMIT:
        log.replace(log.with_name(f"{log.name}.1"))
    return log.stat().st_size if log.exists() else 0


def environment_of_server(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that a server gets from a command that ran in `environ`."""
    return {name: value for name, value in environ.items() if name not in _INSTANCE_MARKERS}


def _spawn(log: Path, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment_of_server(environ),
            cwd="/",
            start_new_session=True,
        )


def _failure(code: int | None, *, log: Path, offset: int) -> PaasError:
    lines = _written_since(log, offset)
    if code is None:
        sentence = f"The server did not answer within {START_LIMIT:.0f} s; look into {log}."
    else:
        sentence = f"The server ended at its start with exit {code}; look into {log}."
    tail = "".join(f"\n{line}" for line in lines[-_TAIL:])
    return (InvalidError if code == 2 else UnreachableError)(sentence + tail)


def _written_since(log: Path, offset: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace").splitlines()
