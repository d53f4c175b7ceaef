"""The access log: one line per request, in Heroku's words, written in batches on its way to the log plane. It never
blocks: where the log plane does not keep up, lines are dropped and counted.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from paas.domain.ids import AppId
from paas.router.head import RequestHead
from paas.router.loop import RouterLoop
from paas.router.refusal import Refusal

INSTANCE = "router"
_BATCH_SECONDS = 0.02
_PATH_LIMIT = 4096


class Lines(Protocol):
    """Where lines go: `paas.platform_lines.PlatformLines`, or a test's list."""

    def say_all(self, app: AppId, instance: str, lines: Sequence[tuple[int, bytes]]) -> None:
        """Take lines of one app, each with its time in unix nanoseconds; never blocks."""
        ...

    def flush(self) -> bool:
        """Write what can be written; return whether all of it is."""
        ...


Entry = tuple[RequestHead, bytes, bytes, bytes, float, float | None, float, int, int, Refusal | None]
"""What one line tells: head, request id, peer, instance, when it began, how long the connection took (None where no
backend was reached), when it ended, status, size, and what went wrong. A plain tuple: one is made for every request.
"""


def line(entry: Entry) -> bytes:
    """Return the entry as a line that cannot be mistaken for another: no quote of a client's stands in it."""
    head, request_id, peer, instance, began, connect, ended, status, size, refusal = entry
    # A target has printable ASCII only, or it was refused: what is left to escape is the quote.
    path = head.target
    if b'"' in path or len(path) > _PATH_LIMIT:
        path = path[:_PATH_LIMIT].replace(b'"', b"%22") + (
            b"\xe2\x80\xa6" if len(path) > _PATH_LIMIT else b""
        )
    return b'%b method=%b path="%b" host=%b request_id=%b fwd="%b" instance=%b connect=%b service=%dms status=%d bytes=%d' % (
        b"at=info" if refusal is None else _error(refusal),
        head.method,
        path,
        head.host,
        request_id,
        peer,
        instance,
        b"0ms" if connect == 0.0 else b"" if connect is None else b"%.0fms" % (connect * 1000),
        (ended - began - (connect or 0.0)) * 1000 + 0.5,
        status,
        size,
    )  # fmt: skip


def _error(refusal: Refusal) -> bytes:
    code = f" code={refusal.code}" if refusal.code else ""
    return f'at=error{code} desc="{refusal.description}"'.encode()


class AccessLog:
    """Keeps entries, and gives them to `lines` together a moment later; without any, no timer runs."""

    def __init__(self, lines: Lines, *, loop: RouterLoop) -> None:
        self._lines = lines
        self._loop = loop
        self._entries: dict[AppId, list[Entry]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def write(self, app: AppId, entry: Entry) -> None:
        """Log one request of `app`."""
        entries = self._entries.get(app)
        if entries is None:
            entries = self._entries[app] = []
            if self._timer is None:
                self._timer = self._loop.call_later(_BATCH_SECONDS, self._flush)
        entries.append(entry)

    def close(self) -> None:
        """Write what can still be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._give()

    def _flush(self) -> None:
        # What found no room is tried again a moment later.
        self._timer = None if self._give() else self._loop.call_later(_BATCH_SECONDS, self._flush)

    def _give(self) -> bool:
        entries, self._entries = self._entries, {}
        offset = time.time() - self._loop.time()
        for app, of_app in entries.items():
            self._lines.say_all(
                app, INSTANCE, [(int((entry[6] + offset) * 1e6) * 1000, line(entry)) for entry in of_app]
            )
        return self._lines.flush()
