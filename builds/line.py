"""The connections on which one build asks Docker: whoever waits on them can be woken from another thread.

The SDK keeps its sockets to itself, and one that waits for the first word of an answer would wait for all of its time.
"""

import socket
from contextlib import suppress
from threading import Lock

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from paas.engines.docker.door import Door

_CONNECT_LIMIT = 10.0


class Line:
    """Everything is for any thread, at any time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self._is_down = False

    def hang_up(self) -> None:
        """End every connection, and each that is made from now on; whoever waits on one meets an error."""
        with self._lock:
            self._is_down = True
            for each in self._open:
                _end(each)

    def connect(self, door: Door) -> socket.socket:
        """Return a connection to Docker; raises OSError."""
        connection = door.connect(_CONNECT_LIMIT)
        with self._lock:
            self._open = [each for each in self._open if each.fileno() >= 0]
            self._open.append(connection)
            if self._is_down:
                _end(connection)
        return connection


class LineAdapter(HTTPAdapter):
    """Lets a client of the SDK speak on a line."""

    def __init__(self, line: Line, door: Door) -> None:
        super().__init__()
        self._pool = _Pool(line, door)

    def get_connection_with_tls_context(self, *_: object, **__: object) -> HTTPConnectionPool:
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: object) -> str:  # noqa: ARG002 - none is used
        return str(request.path_url)

    def close(self) -> None:
        self._pool.close()
        super().close()


class _Pool(HTTPConnectionPool):
    def __init__(self, line: Line, door: Door) -> None:
        super().__init__("localhost")
        self._line = line
        self._door = door

    def _new_conn(self) -> HTTPConnection:
        return _Connection(self._line, self._door)


class _Connection(HTTPConnection):
    def __init__(self, line: Line, door: Door) -> None:
        super().__init__("localhost")
        self._line = line
        self._door = door

    def connect(self) -> None:
        self.sock = self._line.connect(self._door)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
