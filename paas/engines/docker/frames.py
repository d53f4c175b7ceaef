"""Docker's multiplexed streams: frames of a header (stream, length) and a payload. Pure: it reads and writes no socket."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

STDOUT, STDERR = 1, 2
HEADER = struct.Struct(">BxxxL")


class Frame(NamedTuple):
    """One frame, or a part of it."""

    stream: int
    payload: bytes


class Demultiplexer:
    """Cuts what comes in blocks of any size into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, block: bytes) -> list[Frame]:
        """Return the frames that are complete now."""
        data = self._rest + block
        frames, position = [], 0
        for frame, end in frames_in(data):
            frames.append(frame)
            position = end
        self._rest = data[position:]
        return frames


class LineJoiner:
    """Gives one stream's bytes back as whole lines; only what is longer than `limit` is given in pieces."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, payload: bytes) -> bytes:
        """Return what is complete now."""
        data = self._rest + payload
        end = data.rfind(b"\n") + 1
        if len(data) - end > self._limit:
            end = len(data)
        self._rest = data[end:]
        return data[:end]


def frame(stream: int, payload: bytes) -> bytes:
    """Return one frame."""
    return HEADER.pack(stream, len(payload)) + payload


def frames_in(data: bytes, start: int = 0) -> Iterator[tuple[Frame, int]]:
    """Yield each complete frame of `data` with the place where it ends."""
    while len(data) - start >= HEADER.size:
        stream, length = HEADER.unpack_from(data, start)
        begin = start + HEADER.size
        if len(data) - begin < length:
            return
        start = begin + length
        yield Frame(stream, data[begin:start]), start
