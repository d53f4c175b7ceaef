"""The platform's own lines of an app, written into a FIFO that the log plane reads. It never waits and keeps no log."""

import os
from collections import Counter
from pathlib import Path

from paas.clock import Clock
from paas.domain.ids import AppId
from paas.domain.log import LINE_LIMIT

BUFFER_LIMIT = 4 * 1024 * 1024
"""Bytes that wait for room in the FIFO; what comes beyond them is dropped and counted."""

WRITE_LIMIT = 64 * 1024


class PlatformLines:
    """One plane's writer. `say` only remembers; `flush`, called when the plane is idle, writes.

    A line in the FIFO is `<unix ns> TAB <app> TAB <source> TAB <instance> TAB <version> TAB <text>`. One writer per
    FIFO; not shared between threads.
    """

    def __init__(self, fifo: Path, *, clock: Clock) -> None:
        self._fifo = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._clock = clock
        self._buffer = bytearray(b"\n")  # ends what a writer before this one may have left half written
        self._missed: Counter[AppId] = Counter()
        self.dropped = 0
        """Lines that were dropped because the buffer was full."""

    def say(self, app: AppId, instance: str, text: str, *, version: int = 0, source: str = "mini") -> None:
        """Add a line to the app's log; one over LINE_LIMIT becomes several, a line break in it a space."""
        if len(self._buffer) >= BUFFER_LIMIT:
            self._missed[app] += 1
            self.dropped += 1
            return
        if self._missed:
            self._confess()
        self._add(app, instance, text, version=version, source=source)

    def prefix(self, app: AppId, instance: str) -> bytes:
        """Return what stands between the time of a line of an instance and its text, in what `say_all` takes."""
        return _prefix(app, "mini", instance, 0)

    def say_all(self, app: AppId, lines: bytes, *, count: int) -> None:
        """Add so many whole lines of one app at once, each `<unix ns>`, its `prefix`, its text and LF; no text is over
        LINE_LIMIT or has a line break in it."""
        if len(self._buffer) >= BUFFER_LIMIT:
            self._missed[app] += count
            self.dropped += count
            return
        if self._missed:
            self._confess()
        self._buffer += lines

    def flush(self) -> bool:
        """Write what there is room for; return whether all is written."""
        while self._buffer:
            try:
                count = os.write(self._fifo, memoryview(self._buffer)[:WRITE_LIMIT])
            except BlockingIOError:
                return False
            del self._buffer[:count]
        if self._missed:
            self._confess()
            return self.flush()
        return True

    def close(self) -> None:
        """Let go of the FIFO; what was not flushed is gone."""
        os.close(self._fifo)

    def _add(self, app: AppId, instance: str, text: str, *, version: int, source: str) -> None:
        stamp = int(self._clock.now().timestamp() * 1_000_000) * 1000
        head = b"%d%b" % (stamp, _prefix(app, source, instance, version))
        data = text.replace("\n", " ").encode("utf-8", "replace")
        for start in range(0, len(data) or 1, LINE_LIMIT):
            self._buffer += head + data[start : start + LINE_LIMIT] + b"\n"

    def _confess(self) -> None:
        missed, self._missed = self._missed, Counter()
        for app, lines in missed.items():
            text = f"{lines} lines of the platform were dropped: the log plane was too far behind."
            self._add(app, "logs", text, version=0, source="mini")


def _prefix(app: AppId, source: str, instance: str, version: int) -> bytes:
    return f"\t{app}\t{source}\t{instance}\t{version}\t".encode()
