"""A pump: what one source writes into its FIFO, stored line by line and exactly once. It decides no order and no budget.

Its state is one number, `_done`: the offset up to which the source's bytes are in a log. Bytes go FIFO → spool → log,
and each record in a log says how far it reaches; so a pump that is made anew after a crash only goes on from there.
"""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from paas.logs.lines import cut, platform_lines
from paas.logs.record import Batch, Kind
from paas.logs.spool import Spool
from paas.logs.storage import FULL, Storage

BLOCK = 256 * 1024
"""How much one read takes at most: what a FIFO holds at most."""


@dataclass(frozen=True, slots=True)
class Source:
    """What writes into one FIFO: an instance, or a plane where `app` is empty."""

    id: str
    app: str
    instance: str
    version: int
    fifo: str


class Sink(Protocol):
    """Where a pump's bytes become lines of a log."""

    def stored(self, spool: Spool) -> int:
        """Return the offset up to which all of the spool is surely stored."""
        ...

    def store(self, data: bytes, spool: Spool, start: int) -> int:
        """Store the lines of `data`, which begins at the offset `start`; return how many bytes they were."""
        ...

    def store_rest(self, data: bytes, spool: Spool) -> None:
        """Store what the source wrote after its last newline."""
        ...


class InstanceSink:
    """An instance's lines, all for one app."""

    def __init__(self, source: Source, storage: Storage) -> None:
        self._source = source
        self._instance = source.instance.encode()
        self._storage = storage

    def stored(self, spool: Spool) -> int:
        return self._storage.log(self._source.app).offsets.get(spool.id, 0)

    def store(self, data: bytes, spool: Spool, start: int) -> int:
        whole = cut(data)
        if whole.lines:
            self._append(whole.payload, whole.lines, spool, start + whole.used)
        return whole.used

    def store_rest(self, data: bytes, spool: Spool) -> None:
        self._append(data + b"\n", 1, spool, spool.end)

    def _append(self, payload: bytes | memoryview, lines: int, spool: Spool, offset: int) -> None:
        batch = Batch(
            Kind.PLAIN, b"app", self._instance, self._source.version, time.time_ns(), lines, spool.id, offset, payload
        )  # fmt: skip
        self._storage.log(self._source.app).append(batch)


class PlatformSink:
    """A plane's lines, each for the app it names."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def stored(self, spool: Spool) -> int:
        return spool.base

    def store(self, data: bytes, spool: Spool, start: int) -> int:
        groups, used = platform_lines(
            data, stored=lambda app: self._storage.log(app).offsets.get(spool.id, 0) - start
        )
        now = time.time_ns()
        for group in groups:
            self._storage.log(group.app).append(group.batch(at=now, spool=spool.id, start=start))
        return used

    def store_rest(self, data: bytes, spool: Spool) -> None:
        """A line that its plane did not end is no line."""


class Pump:
    """Takes from one FIFO until `finish`. Made again for the same source, it goes on where the last one was."""

    def __init__(self, source: Source, *, folder: Path, storage: Storage) -> None:
        self.source = source
        self.fifo = os.open(source.fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.capacity = fcntl.fcntl(self.fifo, fcntl.F_GETPIPE_SZ)
        self._storage = storage
        self._spool = Spool.open(folder, source.id)
        self._sink: Sink = InstanceSink(source, storage) if source.app else PlatformSink(storage)
        self._lost = 0
        storage.spools.add(self._spool.id)
        self._done = max(self._sink.stored(self._spool), self._spool.base)
        if self._done > self._spool.end:  # a crash while it was thrown away for a full disk
            self._give_up()
        self._store()

    def read(self) -> int:
        """Take one block from the FIFO and store its lines; return how many bytes it was, 0 where there were none."""
        try:
            count = self._spool.take(self.fifo, BLOCK)
        except OSError as error:
            if error.errno not in FULL:
                raise
            return self._take_without_disk()
        if count:
            self._store()
        return count

    def drain(self) -> None:
        """Take all that is in the FIFO."""
        while self.read():
            pass

    def finish(self) -> None:
        """Store all that there is, an unended last line included; the source will write no more."""
        self.drain()
        if self._done < self._spool.end:
            self._sink.store_rest(self._spool.read(self._done), self._spool)
            self._done = self._spool.end

    def remove(self) -> None:
        """Remove the spool and the FIFO of a source that is finished."""
        self._storage.spools.discard(self._spool.id)
        self._spool.remove()
        Path(self.source.fifo).unlink(missing_ok=True)
        os.close(self.fifo)

    def close(self) -> None:
        """Let go of the files; what they hold stays for the next process."""
        self._spool.close()
        os.close(self.fifo)

    def _store(self) -> None:
        try:
            self._done += self._sink.store(self._spool.read(self._done), self._spool, self._done)
            self._tell_loss()
            self._spool.release(self._done)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._give_up()

    def _take_without_disk(self) -> int:
        """Make room by the oldest lines of the app; where there are none, read and forget: the app goes on."""
        if self.source.app and self._storage.log(self.source.app).make_room():
            return self.read()
        self._give_up()
        try:
            count = len(os.read(self.fifo, BLOCK))
        except BlockingIOError:
            return 0
        self._lost += count
        return count

    def _give_up(self) -> None:
        """Throw away what no disk takes."""
        self._lost += max(0, self._spool.end - self._done)
        self._storage.spools.discard(self._spool.id)
        self._spool.renew()
        self._storage.spools.add(self._spool.id)
        self._done = 0

    def _tell_loss(self) -> None:
        if not (self._lost and self.source.app):
            return
        text = f"{self._lost} bytes of {self.source.instance} are lost: the disk was full. Free space.\n"
        self._storage.log(self.source.app).append(
            Batch(
                Kind.PLAIN, b"mini", b"logs", 0, time.time_ns(), 1, self._spool.id, self._done, text.encode()
            )
        )
        self._lost = 0
