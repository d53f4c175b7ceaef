"""One HTTP/1.1 exchange over a connected socket (RFC 9112), as much of it as the API speaks.

Every command pays for what is imported here: the standard client would more than double the client's start,
with email and TLS that no unix socket needs. It never follows redirects and never uses a connection twice.
"""

import socket
from collections.abc import Iterator, Mapping

_BLOCK = 64 * 1024
_LINE_LIMIT = 64 * 1024


class Answer:
    """The answer to one request: `status`, `headers` with lower-case names, and a body to be read once.

    Every method raises OSError where the connection breaks, or what comes is not HTTP.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self.status = self._read_status()
        self.headers = dict(self._read_headers())

    def close(self) -> None:
        """Give the connection up, read to its end or not."""
        self._file.close()
        self._connection.close()

    def read(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.blocks())

    def lines(self) -> Iterator[bytes]:
        """Yield the body's lines as they come, without their ends."""
        rest = b""
        for block in self.blocks():
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def blocks(self) -> Iterator[bytes]:
        """Yield the body in blocks, as it comes."""
        if self.status in (204, 304):
            return
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := self._read_chunk_size():
                yield from self._exactly(size)
                self._read_line()
            while self._read_line():
                pass
        elif "content-length" in self.headers:
            yield from self._exactly(int(self.headers["content-length"]))
        else:
            while block := self._file.read1(_BLOCK):
                yield block

    def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes of what comes after the head."""
        return b"".join(self._exactly(count))

    def _exactly(self, count: int) -> Iterator[bytes]:
        while count:
            block = self._file.read1(min(count, _BLOCK))
            if not block:
                raise ConnectionResetError("it ended in the middle of an answer")
            count -= len(block)
            yield block

    def _read_status(self) -> int:
        version, _, rest = self._read_line().partition(b" ")
        code = rest[:3]
        if not version.startswith(b"HTTP/1.") or not code.isdigit():
            raise ConnectionAbortedError("what came is no HTTP answer")
        return int(code)

    def _read_headers(self) -> Iterator[tuple[str, str]]:
        while line := self._read_line():
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def _read_chunk_size(self) -> int:
        size = self._read_line().partition(b";")[0].strip()
        try:
            return int(size, 16)
        except ValueError:
            raise ConnectionAbortedError("what came is no HTTP chunk") from None

    def _read_line(self) -> bytes:
        line = self._file.readline(_LINE_LIMIT)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("it ended in the middle of an answer")
        return line.rstrip(b"\r\n")


def ask(
    connection: socket.socket, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None
) -> Answer:
    """Send one request, with `headers` that hold Host, and return the answer once its head has come."""
    fields = {"Connection": "close", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    connection.sendall("\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b""))
    return Answer(connection)
