"""One raw connection to a container's output and input: HTTP's upgrade, then bytes, on the event loop.

The SDK gives the socket behind its own buffer, in which the first frames may be caught, and without a limit.
"""

import asyncio
import json
import socket
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from paas.errors import EngineUnavailableError, NotFoundError, UnsupportedError

_BLOCK = 64 * 1024
_HEAD_LIMIT = 64 * 1024
_NEVER_DETACH = ",".join(["%FF"] * 4)
"""Docker leaves an attachment at ctrl-p ctrl-q unless other keys are named: bytes that no UTF-8 text has."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a daemon listens: a socket's path, or a host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def of(cls, address: str) -> "Door":
        """Return the door of an address such as unix:///var/run/docker.sock or tcp://127.0.0.1:2375.

        Raises UnsupportedError for anything else: an instance's output needs a plain connection.
        """
        parts = urlsplit(address)
        if parts.scheme in ("unix", "http+unix"):
            return cls(path=f"/{parts.netloc}{parts.path}".replace("//", "/"))
        if parts.scheme in ("tcp", "http") and parts.hostname and parts.port:
            return cls(host=parts.hostname, port=parts.port)
        raise UnsupportedError(
            f"mini needs a Docker daemon on this machine; DOCKER_HOST is {address}. Use unix:// or tcp://."
        )

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    @property
    def family(self) -> socket.AddressFamily:
        """The kind of its address."""
        return socket.AF_UNIX if self.path else socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def address(self) -> str | tuple[str, int]:
        """Its address as sockets take it."""
        return self.path or (self.host, self.port)

    def knock(self, within: float) -> None:
        """Raise OSError where nobody listens. The SDK would leave its socket open then."""
        with socket.socket(self.family) as probe:
            probe.settimeout(within)
            probe.connect(self.address)


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
            connection = await connected(door)
            try:
                return await _upgraded(connection, request)
            except BaseException:
                connection.close()
                raise
    except (OSError, TimeoutError) as error:
        raise unreachable(door, error) from error


async def connected(door: Door) -> socket.socket:
    """Return a connection to a daemon for the event loop; raises OSError."""
    connection = socket.socket(door.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if not door.path:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(connection, door.address)
    except BaseException:
        connection.close()
        raise
    return connection


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


def unreachable(door: Door, error: BaseException) -> EngineUnavailableError:
    """Return the error for a daemon that does not answer, with the system's own words where it had any."""
    return EngineUnavailableError(
        f"Docker does not answer at {door} ({_why(error)}). What runs is left as it is. Start Docker, or see its own "
        "log if it runs; mini goes on by itself once it answers."
    )


def _why(error: BaseException) -> str:
    beneath: BaseException | None = error
    while beneath:
        if isinstance(beneath, OSError) and beneath.strerror:
            return str(beneath.strerror)
        if isinstance(beneath, TimeoutError):
            return "no answer in time"
        beneath = beneath.__cause__ or beneath.__context__
    return str(error)


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
