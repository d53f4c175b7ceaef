"""Steady traffic to an app, and what became of each request: the client never tries one a second time."""

import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Self

from tests.eventually import eventually

BODY = bytes(range(256)) * 40
PAUSE = 0.004
"""Seconds between two requests of a client: pressure enough, with room for the rest of the test on two cores."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that was not answered as it should be."""

    what: str
    reason: str
    at: float


@dataclass(slots=True)
class Client:
    """One connection after the other, each kept as long as the router keeps it."""

    address: tuple[str, int]
    app: str
    method: str
    answered: int = 0
    reached: float = 0.0
    """When the last answer came."""
    longest_silence: float = 0.0
    versions: list[int] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    refused: int = 0

    def run(self, stop: threading.Event) -> None:
        connection = HTTPConnection(*self.address, timeout=15)
        self.reached = time.monotonic()
        while not stop.wait(PAUSE):
            try:
                self._ask(connection)
            except (OSError, HTTPException) as error:
                self.refused += isinstance(error, ConnectionRefusedError)
                self._lose(repr(error))
                connection.close()
        connection.close()

    def _ask(self, connection: HTTPConnection) -> None:
        body = BODY if self.method == "POST" else None
        connection.request(self.method, "/", body=body, headers={"Host": f"{self.app}.localhost"})
        response = connection.getresponse()
        who, _, echo = response.read().partition(b"\n")
        if response.status != 200 or (body is not None and echo != body):
            self._lose(f"status {response.status}: {who[:200]!r}")
            return
        now = time.monotonic()
        self.longest_silence = max(self.longest_silence, now - self.reached)
        self.reached = now
        self.answered += 1
        version = int(who.split()[1].removeprefix(b"v"))
        if not self.versions or self.versions[-1] != version:
            self.versions.append(version)

    def _lose(self, reason: str) -> None:
        self.lost.append(Lost(self.method, reason, time.monotonic()))


class Traffic:
    """GETs and POSTs from several clients at once, from the beginning of the block to its end."""

    def __init__(self, address: tuple[str, int], app: str, *, readers: int = 3, writers: int = 2) -> None:
        methods = ["GET"] * readers + ["POST"] * writers
        self._clients = [Client(address, app, method) for method in methods]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each.run, args=(self._stop,)) for each in self._clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.flows()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        return sum(each.answered for each in self._clients)

    @property
    def lost(self) -> list[Lost]:
        return [lost for each in self._clients for lost in each.lost]

    @property
    def refused(self) -> int:
        return sum(each.refused for each in self._clients)

    def longest_silence(self) -> float:
        """Return the longest time, in seconds, that a client went without an answer since this was asked last."""
        longest = max(each.longest_silence for each in self._clients)
        for each in self._clients:
            each.longest_silence = 0.0
        return longest

    @property
    def versions(self) -> list[list[int]]:
        """For each client the releases that answered it, in order, repeats left out."""
        return [each.versions for each in self._clients]

    def flows(self, more: int = 10) -> None:
        """Return once every client had `more` answers from now on."""
        before = [each.answered for each in self._clients]
        eventually(
            lambda: all(each.answered >= was + more for each, was in zip(self._clients, before, strict=True)),
            within=30,
        )
