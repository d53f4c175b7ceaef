"""The writing end of every app's log: segments within a byte budget, whole again after any crash. It never reads lines.

Only the log plane writes. A record is one `writev`, so a reader of the same file sees whole records and at most one
torn one at the end; a torn one that a crash left is cut off before the next is written.
"""

import errno
import os
from collections.abc import Set as AbstractSet
from pathlib import Path

from paas.logs import record
from paas.logs.record import Batch

SEGMENT_LIMIT = 4 * 1024 * 1024
BUDGET_FLOOR = 1024 * 1024
"""A smaller budget is taken as this one: less could not hold one read and one segment."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says where no byte more can be written."""


class AppLog:
    """One app's log. `sequence` is that of its last line; `offsets` says up to where each spool is stored.

    `living` are the spools that may still feed a log: a new segment carries no others along.
    """

    def __init__(self, folder: Path, *, budget: int, living: AbstractSet[int]) -> None:
        self._folder = folder
        self._budget = max(budget, BUDGET_FLOOR)
        self._segment_limit = min(SEGMENT_LIMIT, self._budget // 16)
        self._living = living
        self.sequence = 0
        self.offsets: dict[int, int] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sealed = [(path, path.stat().st_size) for path in sorted(folder.glob("*.log"))]
        self._path: Path | None = None
        self._file = -1
        self._size = 0
        self._recover()
        self._sealed_size = sum(size for _, size in self._sealed)

    def append(self, batch: Batch) -> None:
        """Store `batch` behind all others. The oldest segments go where budget or disk are used up.

        Raises OSError where the disk is full all the same; then nothing of the batch is stored.
        """
        while True:
            try:
                return self._append(batch)
            except OSError as error:
                if error.errno not in FULL or not self.make_room():
                    raise

    def make_room(self) -> bool:
        """Remove the oldest segment; return False where only the newest is left."""
        if not self._sealed:
            return False
        path, size = self._sealed.pop(0)
        path.unlink(missing_ok=True)
        self._sealed_size -= size
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, batch: Batch) -> None:
        size = record.size_of(batch)
        if self._path is None or (self._size + size > self._segment_limit and self._path != self._next_path):
            self._begin_segment(at=batch.at)
        while self._sealed_size + self._size + size > self._budget and self.make_room():
            pass
        self._write(batch)
        self.sequence += batch.lines
        self.offsets[batch.spool] = batch.offset

    @property
    def _next_path(self) -> Path:
        return self._folder / f"{self.sequence + 1:020}.log"

    def _begin_segment(self, *, at: int) -> None:
        self._seal()
        self.offsets = {spool: offset for spool, offset in self.offsets.items() if spool in self._living}
        path = self._next_path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        try:
            self._write(record.checkpoint(self.offsets, at=at))
        except OSError:
            self.close()
            path.unlink()
            raise
        self._path = path

    def _seal(self) -> None:
        if self._path is not None:
            self.close()
            self._sealed.append((self._path, self._size))
            self._sealed_size += self._size
            self._path = None

    def _write(self, batch: Batch) -> None:
        written = os.writev(self._file, record.pack(batch, first=self.sequence + 1))
        if written < record.size_of(batch):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _recover(self) -> None:
        """Cut what a crash tore, and read from the newest segment where each source goes on."""
        while self._sealed and self._path is None:
            path, size = self._sealed.pop()
            end = self._take_up(path.read_bytes())
            if not end:
                path.unlink()
                continue
            self._path, self._size = path, end
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            if end < size:
                os.ftruncate(self._file, end)

    def _take_up(self, data: bytes) -> int:
        """Read the records of the newest segment; return where the last whole one ends."""
        end = 0
        for found in record.intact(data):
            if found.kind is record.Kind.CHECKPOINT:
                self.offsets = dict(record.offsets_in(data[found.start : found.end]))
            else:
                self.offsets[found.spool] = found.offset
            self.sequence = found.last
            end += found.size
        return end


class Storage:
    """All apps' logs, each opened at its first use. `spools` are those that may still feed them."""

    def __init__(self, folder: Path, *, budget: int, spools: set[int]) -> None:
        self._folder = folder
        self._budget = budget
        self.spools = spools
        self._logs: dict[str, AppLog] = {}

    def log(self, app: str) -> AppLog:
        """Return the app's log, whole and ready to append to."""
        found = self._logs.get(app)
        if found is None:
            found = self._logs[app] = AppLog(self._folder / app, budget=self._budget, living=self.spools)
        return found

    def sequence(self, app: str) -> int:
        """Return the sequence of the app's last line; 0 where nothing was stored since this process began."""
        found = self._logs.get(app)
        return found.sequence if found else 0

    def forget(self, app: str) -> None:
        """Remove the app's log from the disk. Repeating it does nothing."""
        if log := self._logs.pop(app, None):
            log.close()
        folder = self._folder / app
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()

    def close(self) -> None:
        """Let go of all files."""
        for log in self._logs.values():
            log.close()
        self._logs.clear()
