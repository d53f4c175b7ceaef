"""The control plane's side of the logs: it names the log plane's sources, reads the lines, and says some of its own.

It holds every FIFO open, since what is in a FIFO dies with its last holder. It never writes a segment.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from paas.clock import Clock
from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ExitStatus, Identity, ProcessIdentity
from paas.domain.log import LogFilter, LogLine
from paas.logs.connection import PlaneConnection
from paas.logs.keeper import Keeper
from paas.logs.process import runtime_of
from paas.logs.pump import Source
from paas.logs.reader import Cursor, latest, tail
from paas.logs.witness import exit_file
from paas.platform_lines import PlatformLines
from paas.settings import Settings
from paas.threads import in_thread

START_LIMIT = 20.0
FINISH_LIMIT = 60.0
"""Longest wait, in seconds, for the log plane to come back and store an instance's last lines."""

FIFO_SIZE = 256 * 1024
"""What is asked for; an unprivileged user may get less (pipe(7), pipe-user-pages-soft)."""

RETRY_AFTER = 0.05
"""Pause, in seconds, before the own lines are tried again when their FIFO is full."""

LOOK_AGAIN_AFTER = 60.0
"""Longest wait, in seconds, for the end of what is followed: the wall clock that tells it may jump."""


class LogPlane:
    """The logs of all apps. Every wait here survives a restart of the log plane; used on one event loop."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._folder = runtime_of(settings)
        self._logs = settings.logs
        self._clock = clock
        self._sources: dict[str, Source] = {}
        self._held: dict[str, int] = {}
        self._witnessed: dict[str, ProcessIdentity] = {}
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._is_closed = False
        self._own: PlatformLines | None = None
        self._flushing: asyncio.Handle | None = None
        self._keeper = Keeper(settings, clock=clock, greet=self._greet, listener=self._wake)

    @property
    def pid(self) -> int | None:
        """The log plane's pid; None while it is being started again."""
        return self._keeper.pid

    async def start(self) -> None:
        """Start the log plane, or adopt the one that runs; raises OperationTimedOutError where it does not start."""
        self._own = PlatformLines(self.platform_fifo("control"), clock=self._clock)
        await self._keeper.start(within=START_LIMIT)

    # -- sources --------------------------------------------------------------------------------------------
    async def collect(self, *, id: InstanceId, app: AppId, instance: str, version: int) -> Path:
        """Return the FIFO whose lines go into the app's log as `instance`'s until `finish`. May be repeated."""
        return self._add(Source(id, app, instance, version, str(self._fifo(id))))

    def witness(self, id: InstanceId, identity: Identity) -> None:
        """Have it written down how the instance ends, until `finish`, should no control plane be there then."""
        if isinstance(identity, ProcessIdentity):
            self._witnessed[id] = identity
            if self._keeper.connection:
                self._keeper.connection.post("witness", **_who(id, identity))

    async def exit_of(self, id: InstanceId) -> ExitStatus:
        """Return how an instance ended while no control plane was there, as far as it is known."""
        return await in_thread(_read_exit, exit_file(self._folder, id))

    def platform_fifo(self, name: str) -> Path:
        """Return the FIFO for the `PlatformLines` of a plane such as `router-0`. May be repeated."""
        source = f"platform-{name}"
        return self._add(Source(source, "", name, 0, str(self._fifo(source))))

    async def finish(self, id: InstanceId) -> None:
        """Return when every byte that was written into the instance's FIFO is in the log; the FIFO is gone then.

        Raises OperationTimedOutError where the log plane does not come back; the bytes are kept for it.
        """
        await self._keeper.call("finish", within=FINISH_LIMIT, source=id)
        self._sources.pop(id, None)
        self._witnessed.pop(id, None)
        if (held := self._held.pop(id, None)) is not None:
            os.close(held)
        self._fifo(id).unlink(missing_ok=True)

    async def forget(self, app: AppId) -> None:
        """Remove the app's log; nothing of the app writes any more."""
        await self._keeper.call("forget", within=FINISH_LIMIT, app=app)
        for news in self._followers.pop(app, ()):
            news.set()

    def _fifo(self, source: str) -> Path:
        return self._folder / f"{source}.fifo"

    def _add(self, source: Source) -> Path:
        path = Path(source.fifo)
        if source.id not in self._held:
            self._held[source.id] = _held_fifo(path)
            self._sources[source.id] = source
            if self._keeper.connection:
                self._keeper.connection.post("collect", **_fields(source))
        return path

    async def _greet(self, connection: PlaneConnection) -> None:
        """Tell a log plane all that it has to know."""
        for source in self._sources.values():
            connection.post("collect", **_fields(source))
        for id, identity in self._witnessed.items():
            connection.post("witness", **_who(id, identity))
        for app in self._followers:
            connection.post("follow", app=app)
        await connection.request("hello")
        self._wake_all()

    # -- lines ----------------------------------------------------------------------------------------------
    def say(self, app: AppId, instance: str, text: str, *, version: int = 0, source: str = "mini") -> None:
        """Add a line of the control plane's own to the app's log. Never waits; nothing before `start`."""
        if self._own is None:
            return
        self._own.say(app, instance, text, version=version, source=source)
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if self._own and not self._own.flush():
            self._flushing = asyncio.get_running_loop().call_later(RETRY_AFTER, self._flush)

    async def tail(self, app: AppId, *, filter: LogFilter, last: int) -> list[LogLine]:  # noqa: A002 - the seam's word
        """Return the last `last` lines that pass `filter`, oldest first."""
        return await in_thread(tail, self._logs / app, filter=filter, last=last)

    async def latest(self, app: AppId) -> int:
        """Return the sequence of the app's last line, 0 where there is none: from here on `follow` is live."""
        return await in_thread(latest, self._logs / app)

    async def follow(self, app: AppId, *, filter: LogFilter, after: int) -> AsyncGenerator[LogLine, None]:  # noqa: A002 - as above
        """Yield every line with a sequence over `after` that passes `filter`: those there are, then those to come.

        No line is left out or given twice, however slow the reader is, unless the log's budget takes lines before he
        reads them: then one line of `mini[logs]` says how many. Ends when the logs are stopped or detached, the app's is
        forgotten, or the filter's `until` has passed and all lines that there are were given.
        """
        cursor = Cursor(self._logs / app, filter=filter, after=after)
        with self._following(app) as news:
            try:
                while not self._is_closed and news in self._followers.get(app, ()):
                    news.clear()
                    # Asked first: what is not read by then came later.
                    is_over = self._has_passed(filter.until)
                    lines = await in_thread(cursor.read)
                    if lines is None:
                        if is_over:
                            return
                        await self._news_or_end(news, end=filter.until)
                        continue
                    for line in lines:
                        yield line
            finally:
                cursor.close()

    def _has_passed(self, end: datetime | None) -> bool:
        return end is not None and end < self._clock.now()

    async def _news_or_end(self, news: asyncio.Event, *, end: datetime | None) -> None:
        """Return when there is news, or when `end` may have come."""
        left = None if end is None else (end - self._clock.now()).total_seconds()
        with suppress(TimeoutError):
            async with asyncio.timeout(left if left is None else min(left, LOOK_AGAIN_AFTER)):
                await news.wait()

    @contextmanager
    def _following(self, app: AppId) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        waiting = self._followers.setdefault(app, set())
        waiting.add(news)
        if len(waiting) == 1 and self._keeper.connection:
            self._keeper.connection.post("follow", app=app)
        try:
            yield news
        finally:
            waiting.discard(news)
            if not waiting and self._followers.get(app) is waiting:
                del self._followers[app]
                if self._keeper.connection:
                    self._keeper.connection.post("unfollow", app=app)

    def _wake(self, sequences: Mapping[str, int]) -> None:
        for app in sequences:
            for news in self._followers.get(app, ()):
                news.set()

    def _wake_all(self) -> None:
        self._wake(dict.fromkeys(self._followers, 0))

    # -- end ------------------------------------------------------------------------------------------------
    async def stop(self) -> None:
        """Stop the log plane once all that was written is stored."""
        if self._own:
            self._own.flush()
        await self._keeper.stop()
        self._let_go()

    async def detach(self) -> None:
        """Leave the log plane running for the next control plane."""
        if self._own:
            self._own.flush()
        await self._keeper.detach()
        self._let_go()

    def _let_go(self) -> None:
        self._is_closed = True
        self._wake_all()
        if self._flushing:
            self._flushing.cancel()
        if self._own:
            self._own.close()
            self._own = None
        for held in self._held.values():
            os.close(held)
        self._held.clear()
        self._sources.clear()


def _held_fifo(path: Path) -> int:
    """Return a descriptor that keeps the FIFO's content alive; the FIFO is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    held = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    with suppress(OSError):  # over the user's limit, or more is in it than the new size holds
        fcntl.fcntl(held, fcntl.F_SETPIPE_SZ, FIFO_SIZE)
    return held


def _who(id: str, identity: ProcessIdentity) -> dict[str, str | int]:
    return {"source": id, "pid": identity.pid, "start_time": identity.start_time}


def _read_exit(path: Path) -> ExitStatus:
    try:
        return ExitStatus(int(path.read_text()))
    except FileNotFoundError:
        return ExitStatus(None)


def _fields(source: Source) -> dict[str, str | int]:
    return {
        "source": source.id,
        "app": source.app,
        "instance": source.instance,
        "version": source.version,
        "fifo": source.fifo,
    }
