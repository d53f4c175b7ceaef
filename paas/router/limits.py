"""How long and how much: the router's bounds, as one value that tests can shrink."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one router, in seconds unless said otherwise."""

    head: float = 10.0
    """For a whole head, from its first byte: a slow sender holds a connection no longer."""
    first_byte: float = 30.0
    """For a backend's first byte, from the request's last (H12)."""
    idle: float = 55.0
    """Without a byte either way, once an answer or an upload is under way (H15, H28)."""
    keep_alive: float = 60.0
    """For a client's next request."""
    linger: float = 2.0
    """For a client to read an answer that came before its request was over."""
    connect: float = 5.0
    """For a backend to accept a connection (H20)."""
    hold: float = 1.0
    """For a backend to turn up again where an app has just lost its last one."""
    recent: float = 10.0
    """How long ago an app may have had a backend for its requests to be held."""
    aside: float = 0.25
    """How long a backend that refused a connection gets no request."""
    backend_idle: float = 4.0
    """For an unused connection to a backend: below the 5 s after which common servers close theirs."""
    idle_connections: int = 1024
    """Unused connections kept per backend."""
    unread: int = 64 * 1024
    """Bytes of a client's next requests that are held while one is answered."""
    tick: float = 0.25
    """How late a deadline of a connection may be noticed."""
    stop: float = 5.0
    """For what is in flight when the router is told to stop."""
    retire: float = 60.0
    """For what is in flight, and for clients to leave by themselves, where another router has taken over."""
