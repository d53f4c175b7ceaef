"""Running the commands of a build: their lines as they come, a closed environment, and an end for the whole group."""

import asyncio
import errno
import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT

from paas.errors import BuildFailedError, DiskFullError
from paas.threads import in_thread

_BLOCK = 64 * 1024
_LINE_LIMIT = 64 * 1024
_KEPT_LINES = 60
_DISK_FULL = os.strerror(errno.ENOSPC)
_LINGER_LIMIT = 1.0
"""Seconds that what has left a command's group may hold its output open after its end."""

Take = Callable[[str], None]


class CommandFailedError(BuildFailedError):
    """A command of the build failed."""

    def __init__(self, command: str, *, code: int, lines: tuple[str, ...]) -> None:
        super().__init__(f"`{command}` ended with exit code {code}. Its output says why.")
        self.lines = lines
        """The last lines that it printed."""


class Shell:
    """Where one build runs its commands. `environment` is all they get."""

    def __init__(self, environment: Mapping[str, str], *, say: Callable[[str], None]) -> None:
        self.environment = environment
        self.say = say

    async def run(self, *argv: str, folder: Path, extra: Mapping[str, str] | None = None) -> None:
        """Run a command to its end in `folder`; raises CommandFailedError, DiskFullError. Cancelling it kills its
        whole group, and so does its end: what it left in the background is no part of a build."""
        kept: deque[str] = deque(maxlen=_KEPT_LINES)

        def take(line: str) -> None:
            kept.append(line)
            self.say(line)

        code = await self._run(argv, folder, {**self.environment, **(extra or {})}, stderr=STDOUT, take=take)
        if code and any(_DISK_FULL in line for line in kept):
            raise DiskFullError
        if code:
            raise CommandFailedError(Path(argv[0]).name, code=code, lines=tuple(kept))

    async def ask(self, *argv: str, folder: Path) -> str:
        """Return what a command prints, without its errors; raises CommandFailedError."""
        lines: list[str] = []
        code = await self._run(argv, folder, self.environment, stderr=DEVNULL, take=lines.append)
        if code:
            raise CommandFailedError(Path(argv[0]).name, code=code, lines=tuple(lines))
        return "\n".join(lines)

    async def _run(
        self, argv: Sequence[str], folder: Path, environment: Mapping[str, str], *, stderr: int, take: Take
    ) -> int:
        source, sink = os.pipe()
        try:
            stream, transport = await _stream_of(source)
            # From here to the `try` nothing is awaited: a process that was started is always ended.
            process = _start(argv, folder, environment, output=sink, stderr=stderr)
        except OSError:
            transport.close()
            raise
        finally:
            os.close(sink)
        reading = asyncio.create_task(_read(stream, take))
        try:
            await _ended(process)
        finally:
            await asyncio.shield(_finish(process, reading))
            transport.close()
        return process.returncode


async def _stream_of(source: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    stream = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(stream)
    pipe = os.fdopen(source, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return stream, transport


def _start(
    argv: Sequence[str], folder: Path, environment: Mapping[str, str], *, output: int, stderr: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=dict(environment),
        stdin=DEVNULL,
        stdout=output,
        stderr=stderr,
        start_new_session=True,
    )


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Return when the leader has ended. It is not reaped yet, so that its group can still be named by it."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    watched = os.pidfd_open(process.pid)
    loop.add_reader(watched, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)


async def _finish(process: subprocess.Popen[bytes], reading: "asyncio.Task[None]") -> None:
    """Kill what is left of the group, reap the leader, and take what is still in the pipe."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await in_thread(process.wait)
    # The pipe ends with its last holder, unless one has left the group: that one is not waited for.
    await asyncio.wait({reading}, timeout=_LINGER_LIMIT)
    reading.cancel()


async def _read(stream: asyncio.StreamReader, take: Take) -> None:
    async for line in _lines(stream):
        take(line)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield lines without their ends; a longer one than 64 KiB is split."""
    rest = b""
    while block := await stream.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
        if len(rest) > _LINE_LIMIT:
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace")
