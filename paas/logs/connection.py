"""The control plane's end of one connection to the log plane: requests and their answers, and notices of new lines.

It never reconnects: what is lost is lost, and the owner makes another one.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from paas.logs.wire import Message, decode, encode, number

log = logging.getLogger(__name__)

Listener = Callable[[Mapping[str, int]], None]


class PlaneConnection:
    """One connection. It ends by `close`, or by itself when the log plane goes."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: Listener
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._listener = listener
        self._asked = 0
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._task = asyncio.create_task(self._receive())

    @classmethod
    async def open(cls, path: Path, *, listener: Listener) -> "PlaneConnection":
        """Connect; raises OSError where nobody listens. `listener` is told how far followed apps have come."""
        reader, writer = await asyncio.open_unix_connection(path)
        return cls(reader, writer, listener)

    @property
    def peer(self) -> int:
        """The pid of the process that listens, by the kernel's word."""
        peer: socket.socket = self._writer.get_extra_info("socket")
        pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(pid)

    async def request(self, op: str, **fields: str | int) -> Message:
        """Return the answer; raises ConnectionError when the connection is lost before it, OSError for a refusal."""
        if self._task.done():
            raise ConnectionResetError("The log plane is gone.")
        self._asked += 1
        answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
        self._writer.write(encode({"id": self._asked, "op": op, **fields}))
        reply: Message = await answer
        return reply

    def post(self, op: str, **fields: str | int) -> None:
        """Send a request whose answer nobody waits for. Requests are performed in the order they are sent."""
        if not self._task.done():
            self._writer.write(encode({"id": 0, "op": op, **fields}))

    async def ended(self) -> None:
        """Return when the connection is lost."""
        await asyncio.wait([self._task])

    async def close(self) -> None:
        """End the connection."""
        self._task.cancel()
        await self.ended()
        self._writer.close()

    async def _receive(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(decode(line))
        except (OSError, ValueError) as error:
            log.warning("connection to the log plane lost", extra={"reason": str(error)})
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError("The log plane is gone."))
            self._answers.clear()

    def _take(self, message: Message) -> None:
        news = message.get("lines")
        if isinstance(news, dict):
            self._listener(news)
            return
        error = message.get("error")
        answer = self._answers.pop(number(message, "id"), None)
        if answer is None:
            if error:
                log.error("log plane refused", extra={"reason": str(error)})
        elif not answer.done():
            answer.set_exception(OSError(str(error))) if error else answer.set_result(message)
