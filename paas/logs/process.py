"""The log plane's process, as its starter sees it: started, adopted, watched. It knows nothing of sources and lines."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from paas.settings import Settings
from paas.threads import in_thread

START_LIMIT = 15.0
PRINT_LIMIT = 1024 * 1024
"""Size in bytes from which the plane's own printing goes on in a new file; one older file is kept."""


class LogProcess:
    """A running log plane, started here or by an earlier control plane."""

    def __init__(self, pid: int) -> None:
        """Watch the process `pid`; raises ProcessLookupError where there is none."""
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)

    @classmethod
    async def launch(cls, settings: Settings) -> "LogProcess":
        """Start a log plane in a session of its own; return once it listens, raise OSError where it does not."""
        settings.log_socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ready, said = os.pipe()
        try:
            process = cls(await in_thread(_spawn, settings, said))
        finally:
            os.close(said)
        try:
            await process._wait_until_ready(ready)
        except (OSError, TimeoutError):
            process.kill()
            raise
        finally:
            os.close(ready)
        return process

    async def ended(self) -> None:
        """Return when the process has ended. May be called by one waiter at a time."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._pidfd, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._pidfd)
        with suppress(ChildProcessError):  # it was started by an earlier control plane
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)  # noqa: ASYNC222 - WNOHANG: it never waits

    def kill(self) -> None:
        """End the process at once; nothing happens where it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Stop watching; the process runs on."""
        os.close(self._pidfd)

    async def _wait_until_ready(self, ready: int) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(ready, readable.set)
        try:
            async with asyncio.timeout(START_LIMIT):
                await readable.wait()
        finally:
            loop.remove_reader(ready)
        if not os.read(ready, 16):
            await self.ended()
            raise OSError("The log plane ended as soon as it was started; its log says why.")


def runtime_of(settings: Settings) -> Path:
    """Return the folder of FIFOs and spools."""
    return settings.runtime / "logs"


def _spawn(settings: Settings, said: int) -> int:
    argv = [
        sys.executable, "-I", "-m", "paas.logs", "--runtime", str(runtime_of(settings)), "--logs", str(settings.logs),
        "--socket", str(settings.log_socket), "--budget", str(settings.log_budget),
    ]  # fmt: skip
    printing = _printing(settings.server_logs)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        argv,
        {"PATH": os.defpath, "LANG": "C.UTF-8"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, said, 1),
            (os.POSIX_SPAWN_OPEN, 2, str(printing), flags, 0o600),
        ],
        setsid=True,
    )


def _printing(folder: Path) -> Path:
    """Return the file for the plane's own printing, with room in it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "logs.log"
    if path.exists() and path.stat().st_size > PRINT_LIMIT:
        path.replace(folder / "logs.log.1")
    return path
