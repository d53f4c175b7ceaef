"""Bodies of HTTP/1.1 messages (RFC 9112 §6, §7): where they end, and the bytes to pass on. They are never held:
what comes in goes out, but for a piece of a chunk's size line. Chunk extensions and trailers are checked and dropped.
"""

import re
from enum import Enum, auto
from typing import Protocol

from paas.router.head import MalformedError

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+")
_LINE_LIMIT = 4096
_TRAILERS_LIMIT = 16 * 1024


class Body(Protocol):
    """The rest of a message after its head."""

    done: bool
    payload: int
    """Bytes of content seen so far, without framing."""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what to pass on of `data`, and what comes after the body's end; raises MalformedError."""
        ...

    def end(self) -> bytes | None:
        """Return what to pass on when the sender has closed; None where that cuts the body short."""
        ...


class LengthBody:
    """A body of so many bytes; 0 for a message without one."""

    __slots__ = ("_left", "done", "payload")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.payload = 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        size = len(data)
        if size < self._left:
            self._left -= size
            self.payload += size
            return data, b""
        own, rest = (data, b"") if size == self._left else (data[: self._left], data[self._left :])
        self.payload += self._left
        self._left = 0
        self.done = True
        return own, rest

    def skip(self, size: int) -> None:
        """Count bytes that were passed on already: fewer than are left."""
        self._left -= size
        self.payload += size

    def end(self) -> bytes | None:
        return b"" if self.done else None


class UntilCloseBody:
    """A response's body that ends with its connection; chunked on the way where the client understands it."""

    __slots__ = ("_chunks", "done", "payload")

    def __init__(self, *, chunks: bool) -> None:
        self._chunks = chunks
        self.done = False
        self.payload = 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        self.payload += len(data)
        return (b"%x\r\n%b\r\n" % (len(data), data) if self._chunks and data else data), b""

    def end(self) -> bytes | None:
        self.done = True
        return b"0\r\n\r\n" if self._chunks else b""


class _Stage(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()


class ChunkedBody:
    """A chunked body, passed on in plain chunks or, `chunks` off, as its content alone."""

    __slots__ = ("_chunks", "_held", "_left", "_stage", "_trailers", "done", "payload")

    def __init__(self, *, chunks: bool) -> None:
        self._chunks = chunks
        self._held = b""
        self._left = 0
        self._stage = _Stage.SIZE
        self._trailers = 0
        self.done = False
        self.payload = 0

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        data = self._held + data
        self._held = b""
        out: list[bytes] = []
        at = 0
        while not self.done and at < len(data):
            if self._stage is _Stage.DATA:
                at = self._content(data, at, out)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                return b"".join(out), b""
            self._line(data[at:end], out)
            at = end + 2
        return b"".join(out), data[at:]

    def end(self) -> bytes | None:
        return b"" if self.done else None

    def _content(self, data: bytes, at: int, out: list[bytes]) -> int:
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self.payload += len(piece)
        out.append(piece)
        if not self._left:
            self._stage = _Stage.DATA_END
        return at + len(piece)

    def _hold(self, piece: bytes) -> None:
        if len(piece) > _LINE_LIMIT or b"\n" in piece or (self._stage is _Stage.DATA_END and piece != b"\r"):
            raise MalformedError("a chunk of its body has no proper end")
        self._held = piece

    def _line(self, line: bytes, out: list[bytes]) -> None:
        if len(line) > _LINE_LIMIT:
            raise MalformedError("a line between its chunks is longer than 4 KiB")
        if self._stage is _Stage.SIZE:
            self._size(line, out)
        elif self._stage is _Stage.DATA_END:
            self._data_end(line, out)
        else:
            self._trailer(line, out)

    def _size(self, line: bytes, out: list[bytes]) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise MalformedError("a chunk of its body has no proper size")
        self._left = int(match[1], 16)
        self._stage = _Stage.DATA if self._left else _Stage.TRAILERS
        if self._left and self._chunks:
            out.append(b"%x\r\n" % self._left)

    def _data_end(self, line: bytes, out: list[bytes]) -> None:
        if line:
            raise MalformedError("a chunk of its body has no proper end")
        self._stage = _Stage.SIZE
        if self._chunks:
            out.append(b"\r\n")

    def _trailer(self, line: bytes, out: list[bytes]) -> None:
        self._trailers += len(line) + 2
        if line and (self._trailers > _TRAILERS_LIMIT or not _TRAILER.fullmatch(line)):
            raise MalformedError("the trailers of its body are no fields")
        if not line:
            self.done = True
            if self._chunks:
                out.append(b"0\r\n\r\n")
