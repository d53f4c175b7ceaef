"""The router's own door: a unix socket, one JSON document per line each way, for the control plane alone."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from paas.errors import InvalidError
from paas.router.metrics import Counts
from paas.router.server import RouterServer
from paas.router.table import from_json

MESSAGE_LIMIT = 64 * 1024 * 1024


class ControlServer:
    """Answers the control plane: the table, what is in flight, metrics, the listening sockets, and when to retire."""

    def __init__(self, router: RouterServer, path: Path, *, index: int, code: str) -> None:
        self._router = router
        self._path = path
        self._index = index
        self._code = code
        self._server: asyncio.Server | None = None
        self._verbs: dict[str, Callable[[Counts], Counts]] = {
            "hello": self._hello,
            "push": self._push,
            "in_flight": self._in_flight,
            "close_backends": self._close_backends,
            "metrics": self._metrics,
            "retire": self._retire,
        }

    async def start(self) -> None:
        """Listen on the socket, 0600; one that an earlier router left behind is replaced."""
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid() % 1000}")
        fresh.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(os.fspath(fresh))
        fresh.chmod(0o600)
        fresh.rename(self._path)  # No moment without a socket, nor with one that others may open.
        self._server = await asyncio.start_unix_server(self._serve, sock=door, limit=MESSAGE_LIMIT)

    async def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                await self._answer(line, writer)
        except (ConnectionError, ValueError):
            pass  # It has gone, or its line has no end: there is nobody to tell.
        finally:
            writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            message = json.loads(line)
            verb = message["do"]
            if verb == "listener":
                self._send_listeners(writer)
                return
            answer = self._verbs[verb](message)
        except (ValueError, KeyError, TypeError, InvalidError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()

    def _hello(self, _: Counts) -> Counts:
        return {
            "pid": os.getpid(),
            "index": self._index,
            "version": self._router.balancer.version,
            "code": self._code,
            "retiring": self._router.retiring,
        }

    def _push(self, message: Counts) -> Counts:
        return {"version": self._router.apply(from_json(json.dumps(message["table"])))}

    def _in_flight(self, _: Counts) -> Counts:
        return {"in_flight": dict(self._router.balancer.in_flight())}

    def _close_backends(self, message: Counts) -> Counts:
        instances = message["instances"]
        if not isinstance(instances, list):
            raise InvalidError("`instances` must be a list.")
        self._router.balancer.cut(instances)
        return {}

    def _metrics(self, _: Counts) -> Counts:
        return self._router.metrics()

    def _retire(self, _: Counts) -> Counts:
        self._router.retire()
        return {}

    def _send_listeners(self, writer: asyncio.StreamWriter) -> None:
        # Nothing else is queued on this connection: it answers one message at a time.
        with writer.get_extra_info("socket").dup() as plain:
            socket.send_fds(plain, [b"{}\n"], [each.fileno() for each in self._router.listeners.all()])
