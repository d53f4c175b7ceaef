"""The listening sockets for HTTP and HTTPS: bound once per server, without SO_REUSEPORT, so that nobody can share them
unseen."""

import errno
import logging
import socket
from dataclasses import dataclass

from paas.errors import InvalidError
from paas.settings import DEFAULT_HTTPS, Address, Settings

log = logging.getLogger(__name__)

_BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Listeners:
    """What the routers of one server listen on; without HTTPS for a server that has none."""

    http: socket.socket
    https: socket.socket | None = None

    def all(self) -> list[socket.socket]:
        """Return both, or the one there is."""
        return [self.http] if self.https is None else [self.http, self.https]

    def close(self) -> None:
        """Let go of both."""
        for listener in self.all():
            listener.close()


def bind_all(settings: Settings) -> Listeners:
    """Return what these settings ask for; raises InvalidError where an address cannot be had."""
    http = bind(settings.http)
    try:
        return Listeners(http, _bind_https(settings.https))
    except InvalidError:
        http.close()
        raise


def are_wanted(found: Listeners, settings: Settings) -> bool:
    """Return whether sockets that were found listen where these settings ask for."""
    if not _satisfies(bound_address(found.http), settings.http):
        return False
    if settings.https is None or found.https is None:
        return found.https is None and settings.https in (None, DEFAULT_HTTPS)
    return _satisfies(bound_address(found.https), settings.https)


def bind(address: Address, *, option: str = "--http") -> socket.socket:
    """Return a socket that listens on `address`; raises InvalidError, naming `option`, where that cannot be had."""
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise InvalidError(
            f"{address.host!r} is no address of this machine: {error.strerror}. {_choose(option)}"
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise InvalidError(
            f"The router cannot listen on {address}: {_why(error)}. {_choose(option)}"
        ) from error
    return listener


def bound_address(listener: socket.socket) -> Address:
    """Return the address that a socket listens on."""
    host, port, *_ = listener.getsockname()
    return Address(host, port)


def _bind_https(address: Address | None) -> socket.socket | None:
    if address is None:
        return None
    try:
        return bind(address, option="--https")
    except InvalidError as error:
        if address != DEFAULT_HTTPS:
            raise
        # Nobody asked for it: another server of this machine may well have it.
        log.warning("there is no HTTPS: %s", error.message)
        return None


def _satisfies(bound: Address, wanted: Address) -> bool:
    return wanted.port in (0, bound.port) and (wanted.host == bound.host or wanted.host == "localhost")


def _choose(option: str) -> str:
    variable = f"MINI_{option.removeprefix('--').upper()}"
    return f"Choose another address with {option} or {variable}, such as 127.0.0.1:0 for any free port."


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program already listens there"
    if error.errno == errno.EACCES:
        return "this user may not use that port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)
