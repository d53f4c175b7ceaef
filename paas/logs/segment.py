"""Reading one segment, forwards from any record and backwards from its end, while the log plane may be writing it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from paas.logs import record
from paas.logs.record import Record

_AHEAD = 512 * 1024
_BACK = 128 * 1024


class Segment:
    """An open segment. A file that the budget took stays readable until it is closed. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = first_in(path)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def is_gone(self) -> bool:
        """Return whether the file was removed after it was opened."""
        return os.fstat(self._file).st_nlink == 0

    def began(self) -> int:
        """Return when its first record was written, in Unix ns."""
        for _, found in self.forward(0):
            return found.at
        return 0

    def forward(self, position: int) -> Iterator[tuple[bytes, Record]]:
        """Yield the whole records from `position` on, each with the block that holds its payload."""
        while block := self._from(position):
            start = 0
            while found := record.read(block, start):
                yield block, found
                start += found.size
            if not start:
                return
            position += start

    def backward(self) -> Iterator[tuple[bytes, Record]]:
        """Yield the whole records from the last to the first, each with the block that holds its payload."""
        end = self._last_whole_end()
        size = 0
        while end > 0:
            block = self._between(max(0, end - max(_BACK, size)), end)
            start = len(block)
            while (size := record.size_before(block, start)) and size <= start:
                found = record.read(block, start - size)
                if found is None:
                    return
                yield block, found
                start -= size
            if not size and (start >= record.TAIL_SIZE or start == len(block)):
                return
            end -= len(block) - start

    def _from(self, position: int) -> bytes:
        """Return a block that begins at `position` and holds its first record whole, if the file does."""
        block = os.pread(self._file, _AHEAD, position)
        size = record.size_at(block, 0)
        return block if size <= len(block) else os.pread(self._file, size, position)

    def _between(self, start: int, end: int) -> bytes:
        return os.pread(self._file, end - start, start)

    def _last_whole_end(self) -> int:
        """Return where the last whole record ends: the file's end, unless a record is just being written."""
        size = os.fstat(self._file).st_size
        length = record.size_before(
            self._between(max(0, size - record.TAIL_SIZE), size), min(size, record.TAIL_SIZE)
        )
        if length and length <= size and record.read(self._between(size - length, size), 0):
            return size
        return sum(found.size for _, found in self.forward(0))


def segments_in(folder: Path) -> list[Path]:
    """Return the paths of a log's segments, oldest first; none where there is no log."""
    return sorted(folder.glob("*.log"))


def first_in(path: Path) -> int:
    """Return the sequence of a segment's first line, which is its name."""
    return int(path.stem)
