"""Running the commands of a build: their lines as they come, a closed environment, and an end for the whole group."""

import asyncio
import errno
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from paas.errors import BuildFailedError, DiskFullError

_BLOCK = 64 * 1024
_LINE_LIMIT = 64 * 1024
_KEPT_LINES = 60
_DISK_FULL = os.strerror(errno.ENOSPC)
_LINGER_LIMIT = 1.0
"""Seconds that a command's own children may hold its output open after its end."""


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
        """Run a command to its end in `folder`; raises CommandFailedError. Cancelling it kills its whole group."""
        process = await self._start(*argv, folder=folder, extra=extra)
        kept: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            reading = asyncio.create_task(self._read(process, kept))
            code = await process.wait()
            await asyncio.wait({reading}, timeout=_LINGER_LIMIT)
        finally:
            await _end(process, reading)
        if code and any(_DISK_FULL in line for line in kept):
            raise DiskFullError
        if code:
            raise CommandFailedError(Path(argv[0]).name, code=code, lines=tuple(kept))

    async def ask(self, *argv: str, folder: Path) -> str:
        """Return what a command prints, without its errors; raises CommandFailedError."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=dict(self.environment),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            output, complaint = await process.communicate()
        finally:
            _kill_group(process)
        if process.returncode:
            lines = tuple(complaint.decode(errors="replace").splitlines()[-_KEPT_LINES:])
            raise CommandFailedError(Path(argv[0]).name, code=process.returncode, lines=lines)
        return output.decode(errors="replace").strip()

    async def _start(self, *argv: str, folder: Path, extra: Mapping[str, str] | None) -> Process:
        return await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env={**self.environment, **(extra or {})},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )

    async def _read(self, process: Process, kept: deque[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for above
        async for line in _lines(process.stdout):
            kept.append(line)
            self.say(line)


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


async def _end(process: Process, reading: asyncio.Task[None]) -> None:
    if process.returncode is None or not reading.done():
        _kill_group(process)
    await process.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


def _kill_group(process: Process) -> None:
    # The group is named by its leader's pid, which nobody else can get while one of the group is left.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
