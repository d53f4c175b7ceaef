"""Load that waits for nobody: so many requests a second, each sent when its time has come, whatever became of those
before it. None is tried a second time, and what became of each is kept.
"""

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.eventually import eventually

POST_EVERY = 5
PADDING = bytes(range(256)) * 20
LIMIT = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. Without an answer the status is 0, and `fault` says why."""

    method: str
    number: int
    began: float
    ended: float
    status: int = 0
    body: bytes = b""
    fault: str = ""


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def over(self) -> bool:
        """Whether the other side is known to have closed it."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        body = await self._reader.readexactly(int(fields[b"content-length"]))
        if fields.get(b"connection") == b"close":
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        self._writer.close()


@dataclass
class OpenLoop:
    """GETs, and a POST with a body now and then, from the beginning of the block to its end."""

    address: tuple[str, int]
    host: str
    rate: int
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._idle: list[_Connection] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._drive()))

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.flows(self.rate // 2)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def lost(self) -> list[Outcome]:
        """What was not answered as it should be."""
        return [each for each in self.outcomes if each.status != 200]

    def flows(self, more: int) -> None:
        """Return once so many more were answered from now on."""
        before = len(self.outcomes)
        eventually(lambda: len(self.outcomes) >= before + more, within=60)

    async def _drive(self) -> None:
        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while not self._ended.is_set():
                due = int((time.monotonic() - began) * self.rate)
                while number < due:
                    number += 1
                    tasks.create_task(self._request(number))
                await asyncio.sleep(1 / self.rate)
        for connection in self._idle:
            connection.close()

    async def _request(self, number: int) -> None:
        method = "POST" if number % POST_EVERY == 0 else "GET"
        began = time.monotonic()
        try:
            async with asyncio.timeout(LIMIT):
                status, body = await self._answer(method, number)
        except (OSError, EOFError, TimeoutError, ValueError, LookupError) as error:
            outcome = Outcome(method, number, began, time.monotonic(), fault=repr(error))
        else:
            outcome = Outcome(method, number, began, time.monotonic(), status, body)
        self.outcomes.append(outcome)

    async def _answer(self, method: str, number: int) -> tuple[int, bytes]:
        head, body = f"{method} / HTTP/1.1\r\nHost: {self.host}\r\n", b""
        if method == "POST":
            body = b"%d\n%b" % (number, PADDING)
            head += f"Content-Length: {len(body)}\r\n"
        connection = await self._connection()
        try:
            status, answer = await connection.ask(head.encode() + b"\r\n" + body)
        except BaseException:
            connection.close()
            raise
        if not connection.over:
            self._idle.append(connection)
        if status == 200 and not answer.endswith(body):
            raise ValueError("the body did not come back")
        return status, answer[: len(answer) - len(body)]

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.over:
                return connection
            with suppress(OSError):
                connection.close()
        return _Connection(*await asyncio.open_connection(*self.address, limit=1 << 20))
