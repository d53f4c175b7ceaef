"""A session of BuildKit: while it builds, it asks for the folders that it builds from, and gets them here.

It is the other way round than a request: the daemon calls, by gRPC on a connection that was opened to it. Nothing but
files and signs of life is ever given: no credential, no secret, no agent. It is the only importer of h2.
"""

import errno
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamReset
from h2.exceptions import ProtocolError

from builds.filesync import Item, Sending
from builds.protobuf import encode
from paas.engines.docker.door import Door
from paas.errors import BuildFailedError, PaasError

_CONNECT_LIMIT = 10.0
_BLOCK = 256 * 1024
_HEAD_LIMIT = 64 * 1024
_PREFIX = 5
"""Bytes before each message of gRPC: whether it is compressed, which is never so here, and its size."""
_MESSAGE_LIMIT = 1024 * 1024
_OK, _UNIMPLEMENTED = "0", "12"

_FILES = "/moby.filesync.v1.FileSync/DiffCopy"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = encode((1, 1))
_IGNORE = ".dockerignore"
"""BuildKit asks for it by itself. It is heeded before anything is sent, so there is none to give."""

Folder = Callable[[], Iterable[Item]]


class _Call(Protocol):
    """What one call of BuildKit's does: it takes messages, and has some to send until it is over."""

    @property
    def is_over(self) -> bool: ...

    def take(self, packet: bytes) -> None: ...

    def next(self) -> bytes | None: ...

    def abandon(self) -> None: ...


class _Health:
    """The answer to whether anybody is here."""

    def __init__(self) -> None:
        self._asked = False
        self.is_over = False

    def take(self, packet: bytes) -> None:  # noqa: ARG002 - whatever is asked about, it is served
        self._asked = True

    def next(self) -> bytes | None:
        if not self._asked or self.is_over:
            return None
        self.is_over = True
        return _SERVING

    def abandon(self) -> None:
        """There is nothing to let go of."""


@dataclass(slots=True)
class _Stream:
    call: _Call
    arrived: bytearray = field(default_factory=bytearray)
    leaving: bytearray = field(default_factory=bytearray)


class Session:
    """Open it, `serve` on a thread of its own, and close it: each once.

    `key` names what of earlier builds may be used again: files that are the same need not be sent twice.
    """

    def __init__(self, door: Door, folders: Mapping[str, Folder], *, key: str) -> None:
        self.id = secrets.token_hex(16)
        self.refusal: PaasError | None = None
        """Why a file was not given, if one was not."""
        self._door = door
        self._folders = folders
        self._key = key
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._streams: dict[int, _Stream] = {}
        self._connection: socket.socket | None = None
        self._early = b""

    def open(self) -> None:
        """Connect; raises OSError, and BuildFailedError where the daemon has no BuildKit to call."""
        connection = self._connection = self._door.connect(_CONNECT_LIMIT)
        connection.sendall(self._request())
        answer = b""
        while b"\r\n\r\n" not in answer:
            block = connection.recv(_BLOCK)
            if not block or len(answer) > _HEAD_LIMIT:
                raise ConnectionResetError(errno.ECONNRESET, "it ended the connection")
            answer += block
        head, _, self._early = answer.partition(b"\r\n\r\n")
        status = head.split(b"\r\n", 1)[0].decode(errors="replace")
        if status.split(" ")[1:2] != ["101"]:
            raise no_buildkit(status)
        connection.settimeout(None)

    def serve(self) -> None:
        """Answer until the connection ends."""
        try:
            self._http.initiate_connection()
            self._send()
            block = self._early
            while True:
                self._receive(block)
                block = self._read()
                if not block:
                    return
        except (OSError, ProtocolError):  # the build ends with it, and says so
            pass
        except PaasError as error:
            self.refusal = error
        finally:
            self.close()  # whatever came in between: BuildKit would wait for an answer
            for stream in self._streams.values():
                with suppress(PaasError, OSError):
                    stream.call.abandon()

    def close(self) -> None:
        """End the connection; `serve` returns. For any thread, at any time."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()

    def _request(self) -> bytes:
        methods = "".join(f"X-Docker-Expose-Session-Grpc-Method: {each}\r\n" for each in (_FILES, _HEALTH))
        return (
            f"POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
            f"X-Docker-Expose-Session-Uuid: {self.id}\r\nX-Docker-Expose-Session-Name: mini\r\n"
            f"X-Docker-Expose-Session-Sharedkey: {self._key}\r\n{methods}Content-Length: 0\r\n\r\n"
        ).encode()

    def _read(self) -> bytes:
        assert self._connection is not None  # noqa: S101 - it is open while it is served
        return self._connection.recv(_BLOCK)

    def _receive(self, block: bytes) -> None:
        for event in self._http.receive_data(block):
            self._take(event)
        for number in list(self._streams):
            if self._is_next(number):
                self._answer(number)
        self._send()

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._begin(event.stream_id, [(str(name), str(value)) for name, value in event.headers])
        elif isinstance(event, DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if (stream := self._streams.get(event.stream_id)) is not None:
                stream.arrived += event.data
                self._hear(event.stream_id, stream)
        elif (
            isinstance(event, StreamReset) and (gone := self._streams.pop(event.stream_id, None)) is not None
        ):
            gone.call.abandon()

    def _begin(self, number: int, headers: list[tuple[str, str]]) -> None:
        call = self._call(headers)
        answer = [(":status", "200"), ("content-type", "application/grpc")]
        if call is None:
            self._http.send_headers(number, [*answer, ("grpc-status", _UNIMPLEMENTED)], end_stream=True)
        else:
            self._http.send_headers(number, answer)
            self._streams[number] = _Stream(call)

    def _call(self, headers: list[tuple[str, str]]) -> _Call | None:
        told = dict(headers)
        if told.get(":path") == _HEALTH:
            return _Health()
        folder = self._folders.get(told.get("dir-name", ""))
        if told.get(":path") != _FILES or folder is None:
            return None
        wanted = [value for name, value in headers if name == "followpaths"]
        return Sending([] if wanted == [_IGNORE] else folder())

    def _hear(self, number: int, stream: _Stream) -> None:
        while len(stream.arrived) >= _PREFIX:
            size = int.from_bytes(stream.arrived[1:_PREFIX], "big")
            if stream.arrived[0] or size > _MESSAGE_LIMIT:
                self._http.reset_stream(number, ErrorCodes.PROTOCOL_ERROR)
                self._streams.pop(number).call.abandon()
                return
            if len(stream.arrived) < _PREFIX + size:
                return
            stream.call.take(bytes(stream.arrived[_PREFIX : _PREFIX + size]))
            del stream.arrived[: _PREFIX + size]

    def _is_next(self, number: int) -> bool:
        """Return whether a call is to be answered yet. Folders are given one after the other, however many a Dockerfile's
        frontend asks for at once: they are read through one git, and each is listed in memory."""
        folders = [each for each, stream in self._streams.items() if isinstance(stream.call, Sending)]
        return number not in folders[1:]

    def _answer(self, number: int) -> None:
        """Send what there is to be sent, as far as BuildKit takes it: the rest once it takes more."""
        stream, waiting = self._streams[number], 0
        while (room := self._room(number)) > 0:
            while len(stream.leaving) < room and (packet := stream.call.next()) is not None:
                stream.leaving += b"\0" + len(packet).to_bytes(4, "big") + packet
            if not stream.leaving:
                break
            self._http.send_data(number, bytes(stream.leaving[:room]))
            del stream.leaving[:room]
            waiting += room
            if waiting > _BLOCK:
                self._send()
                waiting = 0
        if stream.call.is_over and not stream.leaving:
            self._http.send_headers(number, [("grpc-status", _OK)], end_stream=True)
            del self._streams[number]

    def _room(self, number: int) -> int:
        return min(self._http.local_flow_control_window(number), self._http.max_outbound_frame_size)

    def _send(self) -> None:
        assert self._connection is not None  # noqa: S101 - it is open while it is served
        self._connection.sendall(self._http.data_to_send())


def no_buildkit(said: str) -> BuildFailedError:
    """Return the error for a daemon that does not build by BuildKit."""
    return BuildFailedError(
        f"This Docker does not build with BuildKit ({said.strip().rstrip('.')}), as Docker Engine for Linux does since "
        "18.09. Let DOCKER_HOST name one that does."
    )
