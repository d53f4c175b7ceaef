"""The output of one build: kept in a file, shown as it comes, followed from its beginning. It is bounded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from paas.threads import in_thread

log = logging.getLogger(__name__)

MAX_OUTPUT = 16 * 1024 * 1024
"""Characters that are kept; what follows is shown as it comes, and no more."""


class BuildOutput:
    """Write within its `with`; `follow` works at any time, and ends when the writing has."""

    def __init__(self, path: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._say = say
        self._file: TextIO | None = None
        self._left = MAX_OUTPUT
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = self._path.open("w", encoding="utf-8", errors="replace")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what did not reach the disk before does not reach it now
                file.close()
        self._changed.set()

    def line(self, text: str) -> None:
        """Show a line and keep it."""
        self._say(text)
        self.keep(text)

    def keep(self, text: str) -> None:
        """Keep a line, and leave it to others to show it. A disk that takes no more ends the keeping, not the build."""
        if self._file is None or self._left <= 0:
            return
        self._left -= len(text)
        try:
            self._file.write(text + "\n" if self._left > 0 else "… the rest was not kept\n")
            self._file.flush()
        except OSError as error:
            log.warning("build output not kept", extra={"path": str(self._path), "reason": str(error)})
            self._left = 0
        # Every follower waits for the event that was there when it last read.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def follow(self) -> AsyncIterator[str]:
        """Yield the lines from the first on; nothing where none was ever kept."""
        position, ended = 0, False
        while not ended:
            changed, ended = self._changed, self._file is None
            text = await in_thread(self._read, position)
            whole = text[: text.rfind(b"\n") + 1]
            position += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                yield line
            if not ended:
                await changed.wait()

    def _read(self, position: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(position)
                return file.read()
        except FileNotFoundError:
            return b""
