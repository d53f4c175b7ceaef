"""The access log: one line per request, written in batches on its way to the log plane. It never blocks: where the log
plane does not keep up, lines are dropped and counted.
"""

import asyncio
import time
from typing import Protocol

from paas.domain.ids import AppId
from paas.router.loop import RouterLoop

INSTANCE = "router"
_BATCH_SECONDS = 0.02


class Lines(Protocol):
    """Where lines go: `paas.platform_lines.PlatformLines`, or a test's list."""

    def prefix(self, app: AppId, instance: str) -> bytes:
        """Return what stands between a line's time and its text."""
        ...

    def say_all(self, app: AppId, lines: bytes, *, count: int) -> None:
        """Take so many whole lines of one app, each `<unix ns> prefix text LF`; never blocks."""
        ...

    def flush(self) -> bool:
        """Write what can be written; return whether all of it is."""
        ...


Entry = tuple[float, bytes, bytes, bytes, bytes, float, bytes]
"""What one line tells: when the request ended, and the pieces of `paas.router.access_line` with the request id after
the first and the seconds of service before the last. A plain tuple: one is made for every request.
"""

_SPELLED_COUNT = 1000
_SPELLED = tuple(b"%d" % number for number in range(_SPELLED_COUNT))
"""Small numbers, which most requests' milliseconds are."""


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
            lines = _lines(of_app, offset=offset, prefix=self._lines.prefix(app, INSTANCE))
            self._lines.say_all(app, lines, count=len(of_app))
        return self._lines.flush()


def _lines(entries: list[Entry], *, offset: float, prefix: bytes) -> bytes:
    pieces: list[bytes] = []
    for ended, beginning, request_id, client, backend, service, end in entries:
        nanoseconds = b"%d000" % ((ended + offset) * 1e6)
        milliseconds = int(service * 1000 + 0.5)
        spelled = _SPELLED[milliseconds] if milliseconds < _SPELLED_COUNT else b"%d" % milliseconds
        pieces += (nanoseconds, prefix, beginning, request_id, client, backend, spelled, end)
    return b"".join(pieces)
