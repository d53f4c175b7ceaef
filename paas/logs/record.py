"""The form of a log on disk, as bytes: a pure codec. It never touches a file and never looks at a line's text.

One app has one folder of segments, `FIRST-SEQUENCE.log` (20 digits), each a row of records; a record is never changed.
A record holds what one read of one source gave:

    head     magic "mRC1", size of the whole record, CRC-32 of all between this field and the tail,
             kind, length of the source's name, length of the instance's name, release version,
             first sequence, number of lines, time of the read (Unix ns), spool id, spool offset after these lines
    names    source ("app", "mini") and instance ("web.1")
    payload  the lines, each ended by a newline and otherwise as the instance wrote them
    tail     size again and magic "mEND": a reader finds its way from the end of the file

All numbers are little-endian. A segment begins with a CHECKPOINT, whose payload is (spool id, offset) of every spool
that still feeds the app: the newest segment alone says where each source goes on after a crash.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

Bytes = bytes | memoryview

_HEAD = struct.Struct("<4sIIBBBxIQIqQQ")
_TAIL = struct.Struct("<I4s")
_CHECKPOINT = struct.Struct("<QQ")
_MAGIC = b"mRC1"
_END = b"mEND"
_CHECKED_FROM = 12
"""Where the part of the head begins that the CRC covers."""

TAIL_SIZE = _TAIL.size
RECORD_LIMIT = 4 * 1024 * 1024
"""No record is longer; a size beyond it is damage."""


class Kind(IntEnum):
    """What a record's payload is."""

    PLAIN = 0
    """Lines that share the record's time."""
    STAMPED = 1
    """Lines that each begin with their own time, in Unix ns, and a tab."""
    CHECKPOINT = 2
    """No lines: where each spool has been stored to."""


class Batch(NamedTuple):
    """Lines on their way into a log, before they have sequence numbers."""

    kind: Kind
    source: bytes
    instance: bytes
    version: int
    at: int
    lines: int
    spool: int
    offset: int
    payload: Bytes


class Record(NamedTuple):
    """One record that was read. `payload` lies between `start` and `end` of the buffer it was found in."""

    kind: Kind
    source: str
    instance: str
    version: int
    first: int
    lines: int
    at: int
    spool: int
    offset: int
    start: int
    end: int
    size: int

    @property
    def last(self) -> int:
        """The sequence of its last line."""
        return self.first + self.lines - 1


def size_of(batch: Batch) -> int:
    """Return the size of the record that `batch` becomes."""
    return _HEAD.size + len(batch.source) + len(batch.instance) + len(batch.payload) + TAIL_SIZE


def pack(batch: Batch, *, first: int) -> tuple[bytes, Bytes, bytes]:
    """Return `batch` as the pieces of a record whose first line has the sequence `first`. The payload is not copied."""
    size = size_of(batch)
    rest = _HEAD.pack(
        _MAGIC, size, 0, batch.kind, len(batch.source), len(batch.instance), batch.version,
        first, batch.lines, batch.at, batch.spool, batch.offset,
    )[_CHECKED_FROM:] + batch.source + batch.instance  # fmt: skip
    check = zlib.crc32(batch.payload, zlib.crc32(rest))
    return struct.pack("<4sII", _MAGIC, size, check) + rest, batch.payload, _TAIL.pack(size, _END)


def checkpoint(offsets: Mapping[int, int], *, at: int) -> Batch:
    """Return the batch that a segment begins with."""
    payload = b"".join(_CHECKPOINT.pack(spool, offset) for spool, offset in offsets.items())
    return Batch(Kind.CHECKPOINT, b"", b"", 0, at, 0, 0, 0, payload)


def offsets_in(payload: Bytes) -> Iterable[tuple[int, int]]:
    """Return the (spool, offset) pairs of a checkpoint's payload."""
    return _CHECKPOINT.iter_unpack(payload)


def size_at(data: Bytes, position: int) -> int:
    """Return the size of the record that begins at `position`; 0 where none does or too little is there to say."""
    if len(data) - position < 8:
        return 0
    magic, size = struct.unpack_from("<4sI", data, position)
    return size if magic == _MAGIC and _HEAD.size + TAIL_SIZE <= size <= RECORD_LIMIT else 0


def size_before(data: Bytes, position: int) -> int:
    """Return the size of the record that ends at `position`; 0 where none does."""
    if position < TAIL_SIZE:
        return 0
    size, magic = _TAIL.unpack_from(data, position - TAIL_SIZE)
    return size if magic == _END and _HEAD.size + TAIL_SIZE <= size <= RECORD_LIMIT else 0


def read(data: Bytes, position: int) -> Record | None:
    """Return the whole record that begins at `position`, or None where it is not all there."""
    size = size_at(data, position)
    if not size or size > len(data) - position:
        return None
    fields = _HEAD.unpack_from(data, position)
    kind, source, instance, version, first, lines, at, spool, offset = fields[3:]
    names = position + _HEAD.size
    start = names + source + instance
    return Record(
        Kind(kind), str(data[names : names + source], "utf-8"), str(data[names + source : start], "utf-8"),
        version, first, lines, at, spool, offset, start, position + size - TAIL_SIZE, size,
    )  # fmt: skip


def intact(data: Bytes) -> Iterator[Record]:
    """Yield the records from the beginning of `data` for as long as they are whole and unharmed."""
    position = 0
    while (size := size_at(data, position)) and _is_sound(data, position, size):
        record = read(data, position)
        if record is None:
            return
        yield record
        position += size


def _is_sound(data: Bytes, position: int, size: int) -> bool:
    end = position + size
    if end > len(data) or size_before(data, end) != size:
        return False
    (check,) = struct.unpack_from("<I", data, position + 8)
    return bool(zlib.crc32(memoryview(data)[position + _CHECKED_FROM : end - TAIL_SIZE]) == check)
