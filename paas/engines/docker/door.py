"""The door of a Docker daemon: where it listens, whether it answers there, and what is said where it does not.

It asks for nothing else. Images and containers are asked for by the SDK, behind the adapters.
"""

import asyncio
import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from paas.errors import EngineUnavailableError, UnsupportedError

_THIS_MACHINE = "unix:///var/run/docker.sock"
_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
_FORBIDDEN = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Door:
    """Where a daemon listens: a socket's path, or a host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def named_by(cls, environ: Mapping[str, str]) -> "Door":
        """Return the door that DOCKER_HOST names, else this machine's; raises UnsupportedError as `of` does."""
        return cls.of(environ.get("DOCKER_HOST") or _THIS_MACHINE)

    @classmethod
    def of(cls, address: str) -> "Door":
        """Return the door of an address such as unix:///var/run/docker.sock or tcp://127.0.0.1:2375.

        Raises UnsupportedError for anything else: an instance's output needs a plain connection, and so does a build.
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

    def connect(self, within: float) -> socket.socket:
        """Return a connection, each of whose steps may take `within` seconds; raises OSError."""
        connection = socket.socket(self.family)
        try:
            connection.settimeout(within)
            connection.connect(self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    async def connected(self) -> socket.socket:
        """Return a connection for the event loop; raises OSError."""
        connection = socket.socket(
            self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            if not self.path:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            await asyncio.get_running_loop().sock_connect(connection, self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    def ping(self, within: float) -> None:
        """Return once the daemon has answered; raises OSError where it does not. It blocks.

        The SDK would leave its own socket open where nobody listens, and take as long as it may take for an answer to
        find out that nobody answers. The connection is a new one: others may be held up by what was asked before.
        """
        with self.connect(within) as connection:
            connection.sendall(_PING)
            if not connection.recv(len(_PING)):
                raise ConnectionResetError(errno.ECONNRESET, "it ended the connection")


def unreachable(
    door: Door, error: BaseException, *, then: str = "mini goes on by itself once it answers"
) -> EngineUnavailableError:
    """Return the error for a daemon that does not answer, with the system's own words where it had any, and what to
    do about them; `then` is what comes after."""
    beneath = _beneath(error)
    if isinstance(beneath, OSError) and beneath.errno in _FORBIDDEN:
        return EngineUnavailableError(
            f"This user may not use Docker at {door} ({beneath.strerror}). What runs is left as it is. Add the user to "
            "the group docker (`sudo usermod -aG docker $USER`) and log in again, or let DOCKER_HOST name a Docker "
            f"that the user may use, and start the server anew; {then}."
        )
    return EngineUnavailableError(
        f"Docker does not answer at {door} ({_why(beneath)}). What runs is left as it is. Start Docker, or see its own "
        f"log if it runs; {then}."
    )


def _beneath(error: BaseException) -> BaseException:
    """Return what the system said, where an error came about by that."""
    beneath: BaseException | None = error
    while beneath:
        if isinstance(beneath, TimeoutError) or (isinstance(beneath, OSError) and beneath.strerror):
            return beneath
        beneath = beneath.__cause__ or beneath.__context__
    return error


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)
