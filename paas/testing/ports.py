"""A router plane and a log plane in memory, as far as the supervisor sees them."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ExitStatus, Identity
from paas.domain.log import LogFilter, LogLine
from paas.domain.route import RoutingTable
from paas.errors import UnreachableError

_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeRouting:
    """A router that acknowledges every table at once; tests say what is in flight and whether it answers."""

    tables: list[RoutingTable] = field(default_factory=list)
    busy: dict[InstanceId, int] = field(default_factory=dict)
    """Requests in flight by instance, as the test wants them."""
    closed: list[InstanceId] = field(default_factory=list)
    available: bool = True
    version: int = 0

    async def publish(self, table: RoutingTable) -> None:
        self._check_available()
        self.tables.append(table)
        self.version = table.version

    async def in_flight(self) -> Mapping[InstanceId, int]:
        self._check_available()
        return dict(self.busy)

    async def close_backends(self, instances: Collection[InstanceId]) -> None:
        self._check_available()
        self.closed.extend(instances)
        for id in instances:
            self.busy.pop(id, None)

    def backends(self, host: str) -> list[str]:
        """Return the routed instances of a host in the last table, as `web.1 v2`."""
        apps = self.tables[-1].apps if self.tables else ()
        return [f"{each.name} v{each.version}" for app in apps if host in app.hosts for each in app.backends]

    def _check_available(self) -> None:
        if not self.available:
            raise UnreachableError


@dataclass
class FakeLines:
    """A log plane that keeps what is said and what comes out of the FIFOs it makes below `folder`."""

    folder: Path
    lines: list[tuple[AppId, LogLine]] = field(default_factory=list)
    finished: list[InstanceId] = field(default_factory=list)
    exits: dict[InstanceId, ExitStatus] = field(default_factory=dict)
    """How instances ended unseen, as the test wants it."""
    _fifos: dict[InstanceId, "_Fifo"] = field(default_factory=dict)

    async def collect(self, *, id: InstanceId, app: AppId, instance: str, version: int) -> Path:
        path = self.folder / f"{id}.fifo"
        if id not in self._fifos:
            os.mkfifo(path, 0o600)
            self._fifos[id] = _Fifo(path, os.open(path, os.O_RDWR | os.O_NONBLOCK), app, instance, version)
        return path

    def witness(self, id: InstanceId, identity: Identity) -> None:
        """Nothing is watched here."""

    async def exit_of(self, id: InstanceId) -> ExitStatus:
        return self.exits.get(id, ExitStatus(None))

    async def finish(self, id: InstanceId) -> None:
        self.finished.append(id)
        fifo = self._fifos.pop(id, None)
        if fifo is None:
            return
        for line in fifo.drained().decode().splitlines():
            self.say(fifo.app, fifo.instance, line, version=fifo.version, source="app")
        os.close(fifo.descriptor)
        fifo.path.unlink()

    def say(self, app: AppId, instance: str, text: str, *, version: int = 0, source: str = "mini") -> None:
        line = LogLine(len(self.lines) + 1, _LONG_AGO, source, instance, version, text)
        self.lines.append((app, line))

    async def tail(
        self,
        app: AppId,
        *,
        filter: LogFilter,  # noqa: A002 - the log plane's word
        last: int,
    ) -> list[LogLine]:
        return [line for of, line in self.lines if of == app and filter.matches(line)][-last:]

    def said(self, instance: str, *, source: str = "mini") -> list[str]:
        """Return the texts of one instance, in order."""
        return [line.text for _, line in self.lines if (line.instance, line.source) == (instance, source)]

    def close(self) -> None:
        """Let go of the FIFOs that were never finished."""
        for fifo in self._fifos.values():
            os.close(fifo.descriptor)
        self._fifos.clear()


@dataclass(frozen=True, slots=True)
class _Fifo:
    path: Path
    descriptor: int
    app: AppId
    instance: str
    version: int

    def drained(self) -> bytes:
        try:
            return os.read(self.descriptor, 1 << 20)
        except BlockingIOError:
            return b""
