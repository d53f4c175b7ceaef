"""The two sides of an exchange: the client's connection as the exchange sees it, and the exchange as a backend's
connection sees it.
"""

from collections.abc import Callable
from typing import Protocol

from paas.router.deadline import Deadline


class Client(Protocol):
    """The client's connection, as an exchange uses it."""

    logged: bytes
    """Its piece of the access log's lines."""
    secure: bool
    """Whether it speaks TLS."""
    origin: bytes
    deadline: Deadline

    write: Callable[[bytes], None]

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def end(self) -> None:
        """Tell the client that nothing more comes."""
        ...

    def take_unread(self) -> bytes:
        """Return, and forget, what came after the request."""
        ...

    def takes_bytes(self) -> bool:
        """Return whether the client has read anything since this was asked last."""
        ...

    def abort(self) -> None:
        """Break the connection, so that a half answer cannot pass for a whole one."""
        ...

    def goes_on(self, exchange: "UnderWay") -> None:
        """The request under way is this one's from now on."""
        ...

    def finished(self, *, keep_alive: bool) -> None:
        """The exchange is over."""
        ...


class UnderWay(Protocol):
    """A request under way, as its client's connection drives it."""

    def from_client(self, data: bytes) -> bytes: ...

    def client_ended(self) -> None: ...

    def client_lost(self) -> None: ...

    def client_full(self) -> None: ...

    def client_ready(self) -> None: ...

    def expired(self) -> None: ...

    def cut(self) -> None: ...


class Rider(Protocol):
    """Whoever uses a connection to a backend: an exchange. All of these are called by the connection."""

    def from_backend(self, data: bytes) -> None: ...

    def backend_ended(self) -> None: ...

    def backend_lost(self, error: Exception | None) -> None: ...

    def backend_full(self) -> None: ...

    def backend_ready(self) -> None: ...

    def cut(self) -> None:
        """End the exchange now, whatever it is at."""
        ...
