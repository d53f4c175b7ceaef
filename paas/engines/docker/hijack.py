"""One raw connection to a container's output and input: HTTP's upgrade, then bytes, on the event loop.

The SDK gives the socket behind its own buffer, in which the first frames may be caught, and without a limit.
"""

import asyncio
import json
import socket
from urllib.parse import quote

from paas.engines.docker.door import Door, unreachable
from paas.errors import EngineUnavailableError, NotFoundError

_BLOCK = 64 * 1024
_HEAD_LIMIT = 64 * 1024
_NEVER_DETACH = ",".join(["%FF"] * 4)
"""Docker leaves an attachment at ctrl-p ctrl-q unless other keys are named: bytes that no UTF-8 text has."""


class Stream:
    """An open connection. One reader and one writer at a time."""

    def __init__(self, connection: socket.socket, head: bytes) -> None:
        self._connection = connection
        self._head = head

    async def read(self) -> bytes:
        """Return what comes next, b"" at the end, however it came about."""
        if self._head:
            head, self._head = self._head, b""
            return head
        try:
            return await asyncio.get_running_loop().sock_recv(self._connection, _BLOCK)
        except OSError:
            return b""

    def read_now(self) -> bytes:
        """Return what has come already."""
        blocks, self._head = [self._head], b""
        try:
            while block := self._connection.recv(_BLOCK):
                blocks.append(block)
        except OSError:  # nothing more for now, or it has ended: the next `read` says so
            pass
        return b"".join(blocks)

    async def write(self, data: bytes) -> None:
        """Send all of it; raises OSError where nobody takes it any more."""
        await asyncio.get_running_loop().sock_sendall(self._connection, data)

    def end_input(self) -> None:
        """Say that no more is written."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:  # the other end was faster
            return

    def close(self) -> None:
        """Let go; the container runs on."""
        self._connection.close()


async def attach(door: Door, path: str, *, stdin: bool, within: float) -> Stream:
    """Return a connection to the container of `path`, open from now on.

    Raises NotFoundError where there is no such container, EngineUnavailableError.
    """
    query = f"stream=1&stdout=1&stderr=1&stdin={int(stdin)}&detachKeys={_NEVER_DETACH}"
    request = (
        f"POST {quote(path)}?{query} HTTP/1.1\r\nHost: docker\r\n"
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
    )
    try:
        async with asyncio.timeout(within):
            connection = await door.connected()
            try:
                return await _upgraded(connection, request)
            except BaseException:
                connection.close()
                raise
    except (OSError, TimeoutError) as error:
        raise unreachable(door, error) from error


async def _upgraded(connection: socket.socket, request: str) -> Stream:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        block = await loop.sock_recv(connection, _BLOCK)
        if not block or len(answer) > _HEAD_LIMIT:
            raise ConnectionResetError("it ended the connection")
        answer += block
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status in (101, 200):
        return Stream(connection, rest)
    if status == 404:
        raise NotFoundError("The container is gone.")
    raise EngineUnavailableError(f"The Docker daemon refuses to attach: {_reason(rest)}")


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
