"""The API's listening sockets: a unix socket for the local user alone, and loopback TCP for holders of the token."""

import asyncio
import errno
import os
import re
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from paas.errors import InvalidError
from paas.settings import Address

BACKLOG = 1024

_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


def listen_unix(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, mode 0600. The caller owns the home, so an old socket there is stale."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _private():
        listener.bind(str(path))
    listener.listen(BACKLOG)
    return listener


def listen_tcp(address: Address) -> socket.socket:
    """Return a socket that listens at `address`; raises InvalidError where that is taken or not of this machine."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else (error.strerror or str(error)).lower()
        raise InvalidError(
            f"The API cannot listen on {address}: {why}. Choose another address with --listen or MINI_LISTEN."
        ) from error
    return listener


@contextmanager
def saying_what_is_remembered(names: Collection[str]) -> Iterator[None]:
    """Let the error of an address that cannot be had say where it came from, if it is one of these settings, which
    nobody named at this start."""
    try:
        yield
    except InvalidError as error:
        if not set(names).intersection(re.findall(r"MINI_[A-Z]+", error.message)):
            raise
        remembered = "This one is remembered from an earlier start, and the one that you choose now will be."
        raise InvalidError(f"{error.message} {remembered}") from error


def bound(listener: socket.socket) -> Address:
    """Return where a TCP socket listens."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)


class PeerCheckedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol; a connection of another user on the unix socket is closed before a byte is read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family == socket.AF_UNIX and not _same_user(connection):
            transport.abort()
            return
        super().connection_made(transport)


def _same_user(connection: socket.socket) -> bool:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    uid: int = _PEER.unpack(credentials)[1]
    return uid in (os.getuid(), 0)


@contextmanager
def _private() -> Iterator[None]:
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
