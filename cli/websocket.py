"""A WebSocket of the API (RFC 6455), as much of it as a client of ours needs: whole messages, no extensions.

Every push pays for what is imported here: a library's client costs it more than git does. It knows nothing of what is
said on it.
"""

import os
import socket
from binascii import b2a_base64
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha1
from threading import Lock
from types import TracebackType
from typing import Self

from cli.client import connect, headers_for
from cli.http import Answer, ask
from cli.target import Target

_OPEN_LIMIT = 30.0
_MESSAGE_LIMIT = 4 * 1024 * 1024
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_WELL = (1000, 1001, 1005)
"""Codes of a close that is no failure; the last stands for none given."""


class WebSocket:
    """One that is open, to be closed by `with`. Any thread may send, one reads.

    Every method raises OSError where the connection breaks, or what comes is no WebSocket.
    """

    def __init__(self, connection: socket.socket, answer: Answer) -> None:
        self._connection = connection
        self._answer = answer
        self._sending = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It wakes a thread that still sends, which a close does not.
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._answer.close()

    def send(self, message: bytes | str) -> None:
        """Send one message: bytes as a binary one, text as a text."""
        self._send(*((_TEXT, message.encode()) if isinstance(message, str) else (_BINARY, message)))

    def messages(self) -> Iterator[bytes | str]:
        """Yield each message as it comes, until the server closes."""
        kind, parts = _CONTINUED, list[bytes]()
        while (frame := self._frame())[0] != _CLOSE:
            opcode, is_last, payload = frame
            if opcode == _PING:
                self._send(_PONG, payload)
            elif opcode != _PONG:
                kind = opcode or kind
                parts.append(payload)
                if is_last:
                    whole = b"".join(parts)
                    yield whole.decode(errors="replace") if kind == _TEXT else whole
                    parts.clear()
        _check_close(frame[2])

    def _frame(self) -> tuple[int, bool, bytes]:
        """Return the next frame: its opcode, whether it is the last of its message, and what is in it."""
        first, second = self._answer.exactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(self._answer.exactly(2 if size == 126 else 8))
        # No extension was asked for, and a server masks nothing.
        if first & 0x70 or second & 0x80 or size > _MESSAGE_LIMIT:
            raise ConnectionAbortedError("what came is no frame of a WebSocket")
        return first & 0x0F, bool(first & 0x80), self._answer.exactly(size)

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes((0x80 | opcode, 0x80 | (size if size < 126 else 126 if size < 2**16 else 127)))
        if size >= 126:
            head += size.to_bytes(2 if size < 2**16 else 8)
        key = os.urandom(4)
        with self._sending:
            self._connection.sendall(head + key + _masked(payload, key))


def open_websocket(target: Target, path: str) -> WebSocket:
    """Return a WebSocket to `path`; raises OSError where the server does not open one."""
    connection = connect(target)
    try:
        connection.settimeout(_OPEN_LIMIT)
        answer = _shake_hands(connection, target, path)
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return WebSocket(connection, answer)


def _shake_hands(connection: socket.socket, target: Target, path: str) -> Answer:
    key = b2a_base64(os.urandom(16), newline=False)
    headers = {
        **headers_for(target),
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key.decode(),
    }
    answer = ask(connection, "GET", path, headers=headers, body=None)
    if answer.status != 101 or answer.headers.get("sec-websocket-accept") != _accepting(key):
        raise ConnectionAbortedError(f"it opened no WebSocket, and answered with status {answer.status}")
    return answer


def _accepting(key: bytes) -> str:
    digest = sha1(key + _GUID, usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).decode()


def _masked(payload: bytes, key: bytes) -> bytes:
    """Return the payload with the key laid over it, which is also the way back. In one go: a byte at a time is slow."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(size)


def _check_close(payload: bytes) -> None:
    code = int.from_bytes(payload[:2]) if payload else 1005
    if code not in _WELL:
        raise ConnectionAbortedError(payload[2:].decode(errors="replace") or f"it closed with code {code}")
