"""The access log: one line per request, in Heroku's words, batched on its way to the log plane. It never blocks:
where the log plane does not keep up, lines are dropped and counted.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from paas.domain.ids import AppId
from paas.router.loop import RouterLoop

INSTANCE = "router"
_BATCH_SECONDS = 0.02
_RETRY_SECONDS = 0.2
_PATH_LIMIT = 4096


class Lines(Protocol):
    """Where lines go: `paas.platform_lines.PlatformLines`, or a test's list."""

    def say(self, app: AppId, instance: str, text: str, *, version: int = 0, source: str = "mini") -> None:
        """Take one line; never blocks."""
        ...

    def flush(self) -> bool:
        """Write what can be written; return whether all of it is."""
        ...


@dataclass(slots=True)
class Entry:
    """What one line tells. Times are seconds; `connect` is None where no backend was reached."""

    method: bytes
    path: bytes
    host: bytes
    request_id: bytes
    peer: str
    instance: str
    connect: float | None
    service: float
    status: int
    size: int
    code: str = ""
    description: str = ""


def line(entry: Entry) -> str:
    """Return the entry as a line that cannot be mistaken for another: no quote of a client's stands in it."""
    outcome = "at=info"
    if entry.description:
        code = f" code={entry.code}" if entry.code else ""
        outcome = f'at=error{code} desc="{entry.description}"'
    connect = "" if entry.connect is None else f"{entry.connect * 1000:.0f}ms"
    return (
        f'{outcome} method={entry.method.decode("ascii")} path="{_quoted(entry.path)}"'
        f" host={entry.host.decode('ascii')} request_id={entry.request_id.decode('ascii')}"
        f' fwd="{entry.peer}" instance={entry.instance} connect={connect}'
        f" service={entry.service * 1000:.0f}ms status={entry.status} bytes={entry.size}"
    )


def _quoted(path: bytes) -> str:
    # A target has printable ASCII only, or it was refused: what is left to escape is the quote.
    text = path[:_PATH_LIMIT].decode("ascii").replace('"', "%22")
    return text + "…" if len(path) > _PATH_LIMIT else text


class AccessLog:
    """Gives lines to `lines`, and flushes them together a moment later; without any, no timer runs."""

    def __init__(self, lines: Lines, *, loop: RouterLoop) -> None:
        self._lines = lines
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def write(self, app: AppId, entry: Entry) -> None:
        """Log one request of `app`."""
        self._lines.say(app, INSTANCE, line(entry))
        if self._timer is None:
            self._timer = self._loop.call_later(_BATCH_SECONDS, self._flush)

    def close(self) -> None:
        """Write what can still be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lines.flush()

    def _flush(self) -> None:
        self._timer = None if self._lines.flush() else self._loop.call_later(_RETRY_SECONDS, self._flush)
