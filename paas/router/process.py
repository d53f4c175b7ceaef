"""One router process, seen from outside: started in a session of its own, or found running; watched by its pidfd.

It never restarts anything: `Routers` does.
"""

import asyncio
import fcntl
import os
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from paas.errors import PaasError
from paas.router.client import RouterClient
from paas.router.listener import Listeners
from paas.settings import Settings

_START_LIMIT = 15.0
_LISTENER, _READY, _HTTPS = 3, 4, 5
"""Descriptors in the child."""

_ENVIRONMENT = frozenset(("PATH", "LANG", "LC_ALL", "TZ"))


class RouterProcess:
    """A process that can be waited for and signalled with no doubt about who it is."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._loop.add_reader(pidfd, self._has_ended)

    @classmethod
    async def find(cls, client: RouterClient) -> "RouterProcess":
        """Return the router that has a socket, whether or not it answers; raises UnreachableError where none has."""
        while True:
            pid = await client.owner()
            with suppress(ProcessLookupError):
                process = cls(pid, os.pidfd_open(pid))
                # Only now is the pid pinned: that the same one still has the socket says that it is this process.
                if await client.owner() == pid:
                    return process
                process.close()

    @classmethod
    async def start(cls, argv: list[str], *, listeners: Listeners, output: Path) -> "RouterProcess":
        """Return a router that serves requests; raises PaasError where it does not come up, OSError where the system
        has no room for it."""
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            process = _spawn(argv, listeners=listeners, ready=write, output=output)
        finally:
            os.close(write)
        try:
            await process._until_ready(read)
        except TimeoutError:
            process.kill()
        finally:
            os.close(read)
        if process.ended:
            await process.wait()
            process.close()
            raise PaasError(f"The router did not start. Its last words are in {output}.")
        return process

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    async def wait(self) -> None:
        """Return once it has ended, and is reaped where it is a child of ours."""
        await self._ended.wait()

    def terminate(self) -> None:
        """Ask it to finish what is in flight and end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Watch it no more; it runs on."""
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    async def _until_ready(self, pipe: int) -> None:
        """Return when the pipe's other end was closed: by a router that serves, or by its death."""
        ready = asyncio.Event()
        self._loop.add_reader(pipe, ready.set)
        try:
            async with asyncio.timeout(_START_LIMIT):
                await ready.wait()
                if os.read(pipe, 1) == b"":
                    await self.wait()
        finally:
            self._loop.remove_reader(pipe)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        with suppress(ChildProcessError):  # An adopted router is not ours to reap.
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        self._ended.set()


def router_argv(settings: Settings, *, index: int, code: str, log_fifo: Path) -> list[str]:
    """Return the command of one router process."""
    return [
        sys.executable,
        "-I",
        "-m",
        "paas.router",
        f"--index={index}",
        f"--code={code}",
        f"--listen-fd={_LISTENER}",
        f"--ready-fd={_READY}",
        f"--table={settings.routing_table}",
        f"--control={settings.router_socket(index)}",
        f"--log-fifo={log_fifo}",
    ]


def _copy(descriptor: int, copies: ExitStack) -> int:
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 16)
    copies.callback(os.close, copy)
    return copy


def _spawn(argv: list[str], *, listeners: Listeners, ready: int, output: Path) -> RouterProcess:
    inherited = {_LISTENER: listeners.http.fileno(), _READY: ready}
    if listeners.https is not None:
        inherited[_HTTPS] = listeners.https.fileno()
        argv = [*argv, f"--https-fd={_HTTPS}"]
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with ExitStack() as copies:
        # All are moved out of the way first: what stands at 3 here may be another one of them. In the child, the
        # copies at their places alone are inherited.
        high = {place: _copy(fd, copies) for place, fd in inherited.items()}
        pid = os.posix_spawn(
            argv[0],
            argv,
            {name: value for name, value in os.environ.items() if name in _ENVIRONMENT},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.fspath(output), appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *((os.POSIX_SPAWN_DUP2, fd, place) for place, fd in high.items()),
            ],
            setsid=True,
        )
    return _watched(pid)


def _watched(pid: int) -> RouterProcess:
    """Return the router that was just spawned; raises OSError, with the router gone, where it cannot be watched."""
    try:
        return RouterProcess(pid, os.pidfd_open(pid))
    except OSError:  # nobody has reaped it: the pid is its own
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
