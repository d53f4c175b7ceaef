"""The log plane's end of its connections: requests in, answers and notices out. It never waits for anyone.

A follower's queue is one number, the sequence it was last told of; so no follower, however slow, costs memory or holds
up a pump, and none can lose a line: lines are in the segments, and a notice only says that there are more.
"""

import socket

from paas.logs.storage import Storage
from paas.logs.wire import MESSAGE_LIMIT, Message, encode


class Connection:
    """One connected control plane."""

    def __init__(self, peer: socket.socket, *, storage: Storage) -> None:
        peer.setblocking(False)
        self._peer = peer
        self._storage = storage
        self._received = b""
        self._unsent = b""
        self._told: dict[str, int] = {}

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._peer.fileno()

    @property
    def is_full(self) -> bool:
        """Whether there is something to send for which the other end has no room yet."""
        return bool(self._unsent)

    def receive(self) -> list[bytes] | None:
        """Return the messages that have come; None when the other end is gone or sends what is none."""
        try:
            data = self._peer.recv(MESSAGE_LIMIT)
        except BlockingIOError:
            return []
        except OSError:
            return None
        *lines, self._received = (self._received + data).split(b"\n")
        return None if not data or len(self._received) > MESSAGE_LIMIT else lines

    def follow(self, app: str) -> None:
        """Tell of this app's lines from now on, and how far it is at once."""
        self._told[app] = -1

    def unfollow(self, app: str) -> None:
        """Tell of this app no more."""
        self._told.pop(app, None)

    def reply(self, message: Message) -> None:
        """Answer a request."""
        self._send(encode(message))

    def notify(self) -> None:
        """Tell how far the followed apps have come, if there is room; else the next call tells more at once."""
        if self._unsent or not self._told:
            return
        news = {app: now for app, told in self._told.items() if (now := self._storage.sequence(app)) > told}
        if news:
            self._told |= news
            self._send(encode({"lines": news}))

    def flush(self) -> None:
        """Send what there was no room for."""
        self._send(b"")

    def close(self) -> None:
        """End the connection."""
        self._peer.close()

    def _send(self, data: bytes) -> None:
        self._unsent += data
        try:
            self._unsent = self._unsent[self._peer.send(self._unsent) :] if self._unsent else b""
        except BlockingIOError:
            pass
        except OSError:  # the other end is gone: `receive` will say so
            self._unsent = b""
