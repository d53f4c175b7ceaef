"""The log plane's loop: FIFOs, requests and followers on one thread. It starts nothing and stops no app.

Plain epoll, since a pump is a handful of system calls per read: an asyncio loop around them costs more than they do.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path

from paas.logs.hub import Connection
from paas.logs.pump import Pump, Source
from paas.logs.spool import ids_in, sweep
from paas.logs.storage import Storage
from paas.logs.wire import PROTOCOL, Message, decode, number, text
from paas.logs.witness import Witness

BREATH = 0.002
"""Pause after a round of small reads, in seconds: an app that prints line by line is read 500 times a second at most."""

DRAIN_LIMIT = 5.0
"""How long the plane goes on reading, in seconds, when it was asked to stop while apps still print."""


class LogServer:
    """The log plane. `folder` holds its sources, spools and FIFOs; `logs` holds the apps' logs."""

    def __init__(self, folder: Path, *, logs: Path, socket_path: Path, budget: int) -> None:
        self._folder = folder
        self._lock = _lock(folder / "lock")
        self._storage = Storage(logs, budget=budget, spools=ids_in(folder))
        self._pumps: dict[int, Pump] = {}
        self._witness = Witness(folder)
        self._connections: dict[int, Connection] = {}
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = False
        self._requests = select.epoll()
        self._all = select.epoll()
        self._all.register(self._requests.fileno(), select.EPOLLIN)
        self._requests.register(self._stop, select.EPOLLIN)
        self._take_up()
        self._listener = _listen(socket_path)
        self._requests.register(self._listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until a request or SIGTERM asks to stop; at the return all that was in the FIFOs is stored."""
        signal.signal(signal.SIGTERM, lambda *_: os.eventfd_write(self._stop, 1))
        while not self._stopping:
            self._round()
        self._drain()
        for pump in self._pumps.values():
            pump.close()
        self._storage.close()

    def _round(self) -> None:
        taken, is_pressed = 0, False
        for file, _ in self._all.poll():
            if pump := self._pumps.get(file):
                count = self._read(pump)
                taken += count
                is_pressed |= count >= pump.capacity // 2
            else:
                self._serve(0)
        for connection in self._connections.values():
            connection.notify()
        if taken and not is_pressed:
            self._serve(BREATH)

    def _read(self, pump: Pump) -> int:
        try:
            return pump.read()
        except OSError as error:
            say(f"{pump.source.id} cannot be read until it is registered again: {error}")
            self._let_go(pump)
            pump.close()
            return 0

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_LIMIT
        while time.monotonic() < deadline:
            taken = [self._read(pump) for pump in list(self._pumps.values())]
            if not any(taken):
                return

    # -- requests -------------------------------------------------------------------------------------------
    def _serve(self, timeout: float) -> None:
        """Answer the requests that have come, or that come within `timeout` seconds."""
        for file, event in self._requests.poll(timeout):
            if file == self._listener.fileno():
                self._accept()
            elif file == self._stop:
                self._stopping = True
            elif connection := self._connections.get(file):
                self._converse(connection, event)
            elif self._witness.has(file):
                self._requests.unregister(file)
                self._witness.testify(file)

    def _accept(self) -> None:
        peer, _ = self._listener.accept()
        connection = Connection(peer, storage=self._storage)
        self._connections[connection.fileno()] = connection
        self._requests.register(connection.fileno(), select.EPOLLIN)

    def _converse(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLOUT:
            connection.flush()
        lines = connection.receive()
        if lines is None:
            self._hang_up(connection)
            return
        for line in lines:
            self._answer(connection, line)
        connection.notify()
        waiting = select.EPOLLOUT if connection.is_full else 0
        self._requests.modify(connection.fileno(), select.EPOLLIN | waiting)

    def _hang_up(self, connection: Connection) -> None:
        self._requests.unregister(connection.fileno())
        del self._connections[connection.fileno()]
        connection.close()

    def _answer(self, connection: Connection, line: bytes) -> None:
        try:
            message = decode(line)
            answer: Message = {"id": number(message, "id")}
        except ValueError as error:
            say(f"A request was not understood: {error}")
            return
        try:
            answer |= self._perform(connection, message)
        except (OSError, ValueError) as error:
            answer["error"] = str(error)
            say(f"The request {message.get('op')!r} failed: {error}")
        connection.reply(answer)

    def _perform(self, connection: Connection, message: Message) -> Message:
        match message.get("op"):
            case "hello":
                return {"pid": os.getpid(), "version": PROTOCOL}
            case "collect":
                self._collect(_source(message))
            case "witness":
                pid, start_time = number(message, "pid"), number(message, "start_time")
                pidfd = self._witness.watch(text(message, "source"), pid=pid, start_time=start_time)
                if pidfd is not None:
                    self._requests.register(pidfd, select.EPOLLHUP)
            case "finish":
                self._finish(text(message, "source"))
            case "follow":
                connection.follow(text(message, "app"))
            case "unfollow":
                connection.unfollow(text(message, "app"))
            case "forget":
                self._forget(text(message, "app"))
            case "stop":
                self._drain()
                self._stopping = True
            case other:
                raise ValueError(f"There is no request {other!r}.")
        return {}

    # -- sources --------------------------------------------------------------------------------------------
    def _take_up(self) -> None:
        """Go on with the sources of the process before this one."""
        for source in _remembered(self._folder / "sources.json"):
            try:
                self._add(source)
            except FileNotFoundError:
                say(f"The FIFO of {source.id} is gone.")
        sweep(self._folder, {path.name.removesuffix(".fifo") for path in self._folder.glob("*.fifo")})
        self._remember()

    def _collect(self, source: Source) -> None:
        if self._find(source.id) is None:
            self._add(source)
            self._remember()

    def _finish(self, id: str) -> None:
        self._witness.forget(id)  # a descriptor that is closed leaves the epoll by itself
        pump = self._find(id)
        if pump is None:
            return
        pump.finish()
        self._let_go(pump)
        self._remember()
        pump.remove()

    def _forget(self, app: str) -> None:
        for pump in [pump for pump in self._pumps.values() if pump.source.app == app]:
            self._finish(pump.source.id)
        self._storage.forget(app)

    def _find(self, id: str) -> Pump | None:
        return next((pump for pump in self._pumps.values() if pump.source.id == id), None)

    def _add(self, source: Source) -> None:
        pump = Pump(source, folder=self._folder, storage=self._storage)
        self._pumps[pump.fifo] = pump
        self._all.register(pump.fifo, select.EPOLLIN)

    def _let_go(self, pump: Pump) -> None:
        self._all.unregister(pump.fifo)
        del self._pumps[pump.fifo]

    def _remember(self) -> None:
        """Write the sources down, so that the next process collects them even while no control plane is there."""
        path = self._folder / "sources.json"
        draft = path.with_suffix(".new")
        try:
            draft.write_text(json.dumps([asdict(pump.source) for pump in self._pumps.values()]))
            draft.rename(path)
        except (
            OSError
        ) as error:  # a full disk stops no collecting, and the control plane names the sources again
            say(f"The sources are not written down: {error}")


def say(sentence: str) -> None:
    """Print a sentence about the plane itself, with the time."""
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), sentence, file=sys.stderr, flush=True)


def _source(message: Message) -> Source:
    return Source(
        id=text(message, "source"),
        app=text(message, "app"),
        instance=text(message, "instance"),
        version=number(message, "version"),
        fifo=text(message, "fifo"),
    )


def _remembered(path: Path) -> list[Source]:
    try:
        return [Source(**fields) for fields in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        say(f"{path} is damaged and is written anew: {error}")
        return []


def _lock(path: Path) -> int:
    """Return the descriptor that holds the lock: one log plane per home."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    return listener
