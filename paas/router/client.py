"""How the control plane speaks to one router process: a call is a line over its unix socket and a line back."""

import json
import os
import socket
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from paas.domain.ids import InstanceId
from paas.domain.route import RoutingTable
from paas.errors import PaasError, UnreachableError
from paas.router.listener import Listeners
from paas.router.table import to_json
from paas.threads import in_thread

_DEADLINE = 5.0
_BLOCK = 256 * 1024

Answer = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """A router that answers: who it is, by the kernel's word, the version of its table, and what it says of itself."""

    pid: int
    version: int
    code: str
    """The version of its code."""
    retiring: bool


class RouterClient:
    """One router's control socket. Every call has a deadline; all raise UnreachableError where nobody answers, and another
    PaasError where nobody could be asked."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def hello(self) -> Found:
        """Return who listens there."""
        return await in_thread(self._hello)

    async def owner(self) -> int:
        """Return the pid of who has the socket, whether or not it still answers."""
        return await in_thread(self._owner)

    async def push(self, table: RoutingTable) -> int:
        """Make the router follow `table`; return the version that it follows, at least the table's."""
        version = _number(await self._ask(f'{{"do":"push","table":{to_json(table)}}}'), "version")
        if version < table.version:
            raise UnreachableError(
                f"The router at {self._socket} follows table {version} still. It is restarted."
            )
        return version

    async def retire(self) -> None:
        """Have the router accept no more, and end once its clients have gone: another one has taken over."""
        await self._ask('{"do":"retire"}')

    async def in_flight(self) -> Mapping[InstanceId, int]:
        """Return requests and upgraded connections under way per backend, draining ones included."""
        counts = (await self._ask('{"do":"in_flight"}')).get("in_flight")
        return (
            {InstanceId(str(key)): int(count) for key, count in counts.items()}
            if isinstance(counts, dict)
            else {}
        )

    async def close_backends(self, instances: Collection[InstanceId]) -> None:
        """Cut what is still under way on these backends: the end of a drain."""
        await self._ask(json.dumps({"do": "close_backends", "instances": list(instances)}))

    async def metrics(self) -> Answer:
        """Return the router's counters."""
        return await self._ask('{"do":"metrics"}')

    async def listeners(self) -> Listeners:
        """Return the sockets that the router accepts connections on."""
        return await in_thread(self._listeners)

    async def _ask(self, message: str) -> Answer:
        return await in_thread(self._exchange, message)

    def _exchange(self, message: str) -> Answer:
        try:
            with self._connected() as door:
                door.sendall(message.encode() + b"\n")
                return self._read(door)
        except OSError as error:
            raise self._unreachable(error) from error

    def _hello(self) -> Found:
        try:
            with self._connected() as door:
                pid = self._owner_of(door)
                door.sendall(b'{"do":"hello"}\n')
                answer = self._read(door)
        except OSError as error:
            raise self._unreachable(error) from error
        return Found(
            pid=pid,
            version=_number(answer, "version"),
            code=str(answer.get("code", "")),
            retiring=answer.get("retiring") is True,
        )

    def _owner(self) -> int:
        try:
            with self._connected() as door:
                return self._owner_of(door)
        except OSError as error:
            raise self._unreachable(error) from error

    def _owner_of(self, door: socket.socket) -> int:
        credentials = door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, user, _ = struct.unpack("3i", credentials)
        if user != os.getuid():
            raise UnreachableError(
                f"The socket {self._socket} belongs to another user; remove it and start again."
            )
        return int(pid)

    def _listeners(self) -> Listeners:
        try:
            with self._connected() as door:
                door.sendall(b'{"do":"listener"}\n')
                _, descriptors, _, _ = socket.recv_fds(door, 16, 2)
        except OSError as error:
            raise self._unreachable(error) from error
        if not descriptors:
            raise UnreachableError(f"The router at {self._socket} did not hand over its listening sockets.")
        listeners = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for listener in listeners:
            listener.set_inheritable(False)  # as they come, every child would keep them open
            listener.setblocking(False)
        return Listeners(*listeners)

    def _connected(self) -> socket.socket:
        door = self._door()
        door.settimeout(_DEADLINE)
        try:
            door.connect(os.fspath(self._socket))
        except OSError:
            door.close()
            raise
        return door

    def _door(self) -> socket.socket:
        try:
            return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:  # this process has no room for it, which says nothing about the router
            raise PaasError(
                f"The router at {self._socket} could not be asked: {error}. Try again."
            ) from error

    def _read(self, door: socket.socket) -> Answer:
        received = bytearray()
        while not received.endswith(b"\n"):
            block = door.recv(_BLOCK)
            if not block:
                raise ConnectionResetError("the connection was closed")
            received += block
        answer = json.loads(received)
        if not isinstance(answer, dict) or "error" in answer:
            raise UnreachableError(f"The router at {self._socket} refused: {answer!r}. It is restarted.")
        return answer

    def _unreachable(self, error: OSError) -> UnreachableError:
        return UnreachableError(
            f"The router at {self._socket} does not answer ({error}). It is being restarted."
        )


def _number(answer: Answer, key: str) -> int:
    value = answer.get(key)
    if not isinstance(value, int):
        raise UnreachableError(f"The router's answer has no {key}: {answer!r}. It is restarted.")
    return value
