"""TLS towards clients: which certificate a connection gets, by the host it asks for, and a socket that speaks it.

It reads certificates from the files that the routing table names. It never makes or checks one.
"""

import logging
import socket
import ssl
from contextlib import suppress
from errno import EAGAIN

from paas.domain.route import RoutingTable
from paas.router.table import find_host

log = logging.getLogger(__name__)

_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsSocket(ssl.SSLSocket):
    """A TLS connection that a wire can use like a plain one: what cannot be done yet is a BlockingIOError.

    A wire reads blocks no smaller than a TLS record, so that nothing that was decrypted ever waits unseen.
    """

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except _WANTS as error:
            raise BlockingIOError(EAGAIN, "TLS has no whole record yet") from error

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]  # what a wire sends
        """Send as many records as the kernel takes; what it does not take must be sent again as it was."""
        left = memoryview(data)
        try:
            while left:
                left = left[super().send(left, flags) :]
        except _WANTS as error:
            if len(left) == len(data):
                raise BlockingIOError(EAGAIN, "the other side does not read") from error
        return len(data) - len(left)

    def shutdown(self, how: int) -> None:
        """Say in TLS that no more comes, and in TCP; what the other side still sends can be read."""
        with suppress(OSError, ValueError):
            self.unwrap()  # It wants the other side's word too: nobody waits for that.
        socket.socket.shutdown(self, how)


class Certificates:
    """The certificates of the routing table in use. A host without one is refused by a TLS alert."""

    def __init__(self) -> None:
        self._by_path: dict[str, ssl.SSLContext] = {}
        self._by_host: dict[str, ssl.SSLContext] = {}
        self._context = _new_context()
        self._context.sslsocket_class = TlsSocket
        self._context.sni_callback = self._choose

    def apply(self, table: RoutingTable) -> None:
        """Work with the certificates of `table` from now on; only files that were not there before are read."""
        wanted = {each.host: each.path for app in table.apps for each in app.certificates}
        known = {path: self._by_path.get(path) or _loaded(path) for path in set(wanted.values())}
        self._by_path = {path: context for path, context in known.items() if context is not None}
        self._by_host = {host: self._by_path[path] for host, path in wanted.items() if path in self._by_path}

    def wrap(self, sock: socket.socket) -> socket.socket:
        """Return the socket of a client that is going to speak TLS; raises OSError where it has gone already."""
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def _choose(
        self, sock: ssl.SSLObject | ssl.SSLSocket, host: str | None, _context: ssl.SSLContext
    ) -> int | None:
        found = find_host(self._by_host, host.lower()) if host else None
        if found is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        sock.context = found
        return None


def _loaded(path: str) -> ssl.SSLContext | None:
    context = _new_context()
    try:
        context.load_cert_chain(path)
    except OSError as error:  # ssl.SSLError is one
        # One bad file must not take the other hosts down. The next table that names it tries again.
        log.warning("a certificate cannot be loaded", extra={"path": path, "error": str(error)})
        return None
    return context


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
