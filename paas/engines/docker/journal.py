"""What was taken of one container's output, on its way to the instance's FIFO, so that no crash loses or doubles a line.

A journal is a file: how far it was passed on (8 bytes), then frames as Docker's own. Taking is one `write` at its end:
what is in the file has been taken. Passing on is one `splice` that moves the bytes and the first number together. So a
process that is killed anywhere leaves a file that says exactly what was taken and what of that was passed on; a torn
last frame counts as not taken. Only whole lines are taken, of one stream after the other.

It never talks to Docker.
"""

import errno
import mmap
import os
import struct
from collections import deque
from pathlib import Path

from paas.engines.docker.frames import HEADER, STDERR, STDOUT, frame, frames_in
from paas.engines.docker.splice import DurableOffset

KEEP = 64 * 1024
"""How much of each stream is kept to find its place in the container's log again."""
CUT_AT = 1024 * 1024

_PATH_LIMIT = 4096
"""Bytes of the longest path (PATH_MAX)."""
_WHOLE, _CUT = 0, 3
"""What the first frame is: of a journal with all that was ever taken, or of one that was cut. It holds the FIFO's path."""
_OFFSET = struct.Struct("=q")


class Journal:
    """One container's journal. One owner."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    @classmethod
    def create(cls, path: Path, fifo: Path) -> "Journal":
        """Return a new journal of what goes into `fifo`."""
        _write_new(path, frame(_WHOLE, os.fsencode(fifo)))
        return cls(path)

    @classmethod
    def is_whole(cls, path: Path) -> bool:
        """Return whether a journal is there and can be gone on with: a loss of power can leave one without its bytes."""
        try:
            with path.open("rb") as file:
                file.seek(mmap.PAGESIZE)
                return next(frames_in(file.read(HEADER.size + _PATH_LIMIT)), None) is not None
        except OSError:
            return False

    @property
    def is_passed(self) -> bool:
        """Whether all that was taken has been passed on."""
        return not self._to_pass

    def take(self, stream: int, data: bytes) -> None:
        """Take whole lines of a stream; raises OSError where the disk is full, and then nothing is taken."""
        block = frame(stream, data)
        written = 0
        try:
            while written < len(block):
                written += os.pwrite(self._file, block[written:], self._end + written)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        start = self._end + HEADER.size
        self._end += len(block)
        self._to_pass.append((start, self._end))
        self._remember(stream, data)

    def pass_on(self, fifo: int) -> bool:
        """Pass on what there is room for; return whether that was all."""
        while self._to_pass:
            start, end = self._to_pass[0]
            if not start <= self._passed.value < end:
                self._passed.value = start
            try:
                self._passed.splice(fifo, end - self._passed.value)
            except BlockingIOError:
                return False
            if self._passed.value == end:
                self._to_pass.popleft()
        if self._end > CUT_AT:
            self._cut()
        return True

    def context(self, stream: int) -> tuple[list[bytes], bytes]:
        """Return the last lines that were taken of a stream, and what was taken of a line that is not yet whole."""
        *lines, rest = bytes(self._recent[stream]).split(b"\n")
        return (lines[1:] if self._forgot[stream] else lines), rest

    def recent(self, stream: int) -> bytes:
        """Return the last bytes that were taken of a stream."""
        return bytes(self._recent[stream])

    def count(self, stream: int) -> int | None:
        """Return how many lines of a stream were ever taken; None where the journal does not know any more."""
        recent = self._recent[stream]
        if recent and (self._is_cut or self._forgot[stream]):
            return None
        return recent.count(b"\n")

    def close(self) -> None:
        """Let go of the file, which stays for the next process."""
        self._passed.close()
        os.close(self._file)

    def _begin(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        status = os.fstat(self._file)
        self.touched_ns = status.st_mtime_ns
        """When something was taken last, before it was opened."""
        self._recent = {STDOUT: bytearray(), STDERR: bytearray()}
        self._forgot = {STDOUT: False, STDERR: False}
        self._to_pass: deque[tuple[int, int]] = deque()
        self._passed = DurableOffset(self._file)
        self._read(os.pread(self._file, status.st_size, 0))

    def _read(self, data: bytes) -> None:
        self._end = mmap.PAGESIZE
        passed = self._passed.value
        for (stream, payload), end in frames_in(data, self._end):
            self._end = end
            if stream in (_WHOLE, _CUT):
                self.fifo = Path(os.fsdecode(payload))
                self._is_cut = stream == _CUT
                continue
            self._remember(stream, payload)
            if passed < end:
                self._to_pass.append((end - len(payload), end))
        os.ftruncate(self._file, self._end)

    def _remember(self, stream: int, data: bytes) -> None:
        recent = self._recent[stream]
        recent += data
        if len(recent) > 2 * KEEP:
            del recent[:-KEEP]
            self._forgot[stream] = True

    def _cut(self) -> None:
        """Begin again with a file that holds only what is needed to go on; where the disk is full, later."""
        kept = [frame(_CUT, os.fsencode(self.fifo))]
        for stream, recent in self._recent.items():
            lines = bytes(recent[-KEEP:])
            if len(recent) > KEEP:  # the first one may not be whole
                lines = lines[lines.find(b"\n") + 1 :]
            if lines:
                kept.append(frame(stream, lines))
        draft = self.path.with_suffix(".draft")
        try:
            _write_new(draft, b"".join(kept), passed=mmap.PAGESIZE + sum(map(len, kept)))
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return
        draft.rename(self.path)
        self.close()
        self._begin()


def _write_new(path: Path, frames: bytes, *, passed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("wb") as file:
        file.write(_OFFSET.pack(passed).ljust(mmap.PAGESIZE, b"\0") + frames)
    path.chmod(0o600)
