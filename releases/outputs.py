"""The output of deployments: kept as one NDJSON file each, replayed and followed. It never holds a config value."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count
from pathlib import Path

from paas.clock import Clock, rfc3339
from paas.domain.ids import DeploymentId
from paas.domain.log import LINE_LIMIT
from paas.settings import Settings
from paas.threads import in_thread

log = logging.getLogger(__name__)

OUTPUT_LIMIT = 8 * 1024 * 1024
"""Characters kept of what builds and release commands print in one deployment; its own steps always are."""
_JUMP = 10_000_000
"""More than the lines that one control plane adds to an output: each that counts takes one of OUTPUT_LIMIT at least."""


class OutputKind(StrEnum):
    """How a line is shown: `-----> step`, `       output`, ` !     warning or error`."""

    STEP = "step"
    OUTPUT = "output"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line. `sequence` begins at 1 and rises, not always by one: a cursor to resume from."""

    sequence: int
    at: datetime
    kind: OutputKind
    text: str


class Outputs:
    """The outputs of all deployments of a home."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._folder = settings.outputs / "deployments"
        self._clock = clock
        self._open: dict[DeploymentId, Output] = {}

    def open(self, deployment: DeploymentId) -> "Output":
        """Return the output of a new deployment to write to. Close it."""
        return self._opened(deployment, (), first=1)

    async def reopen(self, deployment: DeploymentId) -> "Output":
        """Return the output to write to, going on after what an earlier control plane wrote. Close it.

        What comes has sequences above all that the earlier one can have shown, more than what came to its file.
        """
        before = await in_thread(_mend, self.path(deployment))
        return self._opened(deployment, before, first=_JUMP + (before[-1].sequence if before else 0))

    async def close(self, deployment: DeploymentId) -> None:
        """End an output: what was written is in its file, and followers come to their end."""
        if output := self._open.get(deployment):
            await output.close()
            self._open.pop(deployment, None)

    async def follow(self, deployment: DeploymentId, *, after: int = 0) -> AsyncIterator[OutputLine]:
        """Yield every line with a sequence above `after`, then each new one until the deployment has ended."""
        if output := self._open.get(deployment):
            async for line in output.follow(after=after):
                yield line
            return
        for line in await in_thread(_read, self.path(deployment)):
            if line.sequence > after:
                yield line

    def _opened(self, deployment: DeploymentId, before: Iterable[OutputLine], *, first: int) -> "Output":
        output = Output(self.path(deployment), before, first=first, clock=self._clock)
        self._open[deployment] = output
        return output

    def path(self, deployment: DeploymentId) -> Path:
        """Return where a deployment's output is kept."""
        return self._folder / f"{deployment}.ndjson"


class Output:
    """One output while its deployment is under way: lines go to memory at once and to the file behind."""

    def __init__(self, path: Path, before: Iterable[OutputLine], *, first: int, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._sequences = count(first)
        self._lines = list(before)
        self._written = len(self._lines)
        self._room = OUTPUT_LIMIT
        self._closed = False
        self._changed = asyncio.Event()
        self._writer = asyncio.create_task(self._write_behind())

    def step(self, text: str) -> None:
        """Say what the platform does now."""
        self._add(OutputKind.STEP, text)

    def line(self, text: str) -> None:
        """Pass on one line of a build or a release command; once the limit is reached, nothing more."""
        if self._room <= 0:
            return
        self._room -= len(text) + 1
        self._add(OutputKind.OUTPUT, text[:LINE_LIMIT])
        if self._room <= 0:
            self.warning(f"The output is over {OUTPUT_LIMIT} characters long: the rest is not kept.")

    def warning(self, text: str) -> None:
        """Say what the user should know."""
        self._add(OutputKind.WARNING, text)

    def error(self, text: str) -> None:
        """Say why the deployment failed."""
        self._add(OutputKind.ERROR, text)

    async def follow(self, *, after: int) -> AsyncIterator[OutputLine]:
        """Yield the lines above `after`, then each new one until the output is closed."""
        seen = 0
        while True:
            changed, closed = self._changed, self._closed
            while seen < len(self._lines):
                line = self._lines[seen]
                seen += 1
                if line.sequence > after:
                    yield line
            if closed:
                return
            if changed is self._changed:
                await changed.wait()

    async def close(self) -> None:
        """Return when all lines are in the file."""
        self._closed = True
        self._wake()
        await self._writer

    def _add(self, kind: OutputKind, text: str) -> None:
        self._lines.append(OutputLine(next(self._sequences), self._clock.now(), kind, text))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _write_behind(self) -> None:
        while True:
            changed, closed = self._changed, self._closed
            batch = self._lines[self._written :]
            if batch:
                await self._keep(batch)
            elif closed:
                return
            elif changed is self._changed:
                await changed.wait()

    async def _keep(self, batch: Sequence[OutputLine]) -> None:
        try:
            await in_thread(_append, self._path, batch)
        except OSError as error:  # a full disk must not stop a deployment: followers still get every line
            log.warning("output lines not kept", extra={"path": str(self._path), "reason": str(error)})
        self._written += len(batch)


def _append(path: Path, lines: Iterable[OutputLine]) -> None:
    """Write all lines behind those of the file; where that raises OSError, none of them is there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = memoryview("".join(map(_to_json, lines)).encode())
    with path.open("ab", buffering=0) as file:  # a buffer would be written behind the cut
        size = file.tell()
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(size)
            raise


def _read(path: Path) -> list[OutputLine]:
    """Return the lines of a file that are whole, none where there is no file."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return []
    complete = content.split(b"\n")[:-1]  # a crash may have torn the last one
    return [line for line in map(_from_json, complete) if line]


def _mend(path: Path) -> list[OutputLine]:
    """Return the lines of a file that are whole, and cut what a crash left after them."""
    lines = _read(path)
    with suppress(FileNotFoundError, NotADirectoryError), path.open("rb+") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
    return lines


def _to_json(line: OutputLine) -> str:
    document = {"sequence": line.sequence, "at": rfc3339(line.at), "kind": line.kind, "text": line.text}
    return json.dumps(document) + "\n"


def _from_json(text: bytes) -> OutputLine | None:
    """Return the line that was written as `text`, None for what a failing disk made of one."""
    try:
        document = json.loads(text)
        return OutputLine(
            sequence=int(document["sequence"]),
            at=datetime.fromisoformat(document["at"]),
            kind=OutputKind(document["kind"]),
            text=str(document["text"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
