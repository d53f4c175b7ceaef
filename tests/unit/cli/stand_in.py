"""A stand-in for the API: canned documents on a real unix socket, and what it was asked."""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from websockets.server import ServerProtocol
from websockets.sync.server import Server, ServerConnection

Talk = Callable[[ServerConnection], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    body: object
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Canned:
    """One answer: a document, or the lines of a stream, which may break off in the middle."""

    status: int = 200
    document: object = None
    lines: list[object] | None = None
    text: str | None = None
    breaks_off: bool = False


@dataclass
class StandIn:
    """What is answered to which request, and what was asked. Answers to one request may differ in turn."""

    home: Path
    answers: dict[tuple[str, str], list[Canned]] = field(default_factory=dict)
    talks: dict[str, Talk] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, method: str, path: str, document: object = None, *, status: int = 200) -> None:
        """Answer `method path` with a document; called again, with the next one the next time."""
        self._add(method, path, Canned(status=status, document=document))

    def stream(self, path: str, *lines: object, breaks_off: bool = False) -> None:
        """Answer GET `path` with NDJSON."""
        self._add("GET", path, Canned(lines=list(lines), breaks_off=breaks_off))

    def text(self, path: str, text: str) -> None:
        """Answer GET `path` with plain text."""
        self._add("GET", path, Canned(text=text))

    def problem(self, method: str, path: str, *, status: int, code: str, detail: str) -> None:
        """Answer `method path` with a problem document."""
        document = {"title": code, "status": status, "detail": detail, "code": code, "request_id": "req-1"}
        self._add(method, path, Canned(status=status, document=document))

    def websocket(self, path: str, talk: Talk) -> None:
        """Let `talk` have the WebSocket at `path`."""
        self.talks[path] = talk

    def bodies(self, method: str, path: str) -> list[object]:
        """Return what was sent with `method path`."""
        return [asked.body for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def next_answer(self, asked: Asked) -> Canned:
        """Return the answer to `asked`; the last one of several stays."""
        self.asked.append(asked)
        answers = self.answers.get((asked.method, asked.path))
        if not answers:
            detail = f"the test gave no answer to {asked.method} {asked.path}"
            document = {"detail": detail, "code": "not_found", "status": 404, "request_id": "req-1"}
            return Canned(status=404, document=document)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _add(self, method: str, path: str, canned: Canned) -> None:
        self.answers.setdefault((method, path), []).append(canned)


class StandInServer(socketserver.ThreadingUnixStreamServer):
    """Serves a StandIn until it is shut down."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, api: StandIn) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.api = api
        super().__init__(str(path), _Connection)

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went away."""

    def run(self) -> threading.Thread:
        """Serve on a thread of its own."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        return thread


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    request: socket.socket
    server: StandInServer

    def handle(self) -> None:
        head = self.connection.recv(64 * 1024, socket.MSG_PEEK)
        if b"upgrade: websocket" not in head.lower():
            super().handle()
            return
        path = urlsplit(head.split(b" ")[1].decode()).path
        server = Server(self.connection, _nothing)
        with server.shutdown_watcher, server.shutdown_notifier:
            websocket = ServerConnection(self.connection, ServerProtocol(), server)
            websocket.handshake(timeout=5)
            self.server.api.talks[path](websocket)
            websocket.close()

    def answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body, headers)
        self._send(self.server.api.next_answer(asked))

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, canned: Canned) -> None:
        self.close_connection = True
        self.send_response(canned.status)
        self.send_header("X-Request-ID", "req-1")
        if canned.lines is not None:
            self._send_stream(canned)
            return
        text = canned.text if canned.text is not None else _json(canned.document)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _send_stream(self, canned: Canned) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in cast(list[object], canned.lines):
            data = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if not canned.breaks_off:
            self.wfile.write(b"0\r\n\r\n")


def _json(document: object) -> str:
    return "" if document is None else json.dumps(document)


def _nothing(_socket: socket.socket, _address: object) -> None:
    """The connection is ours: no server runs a handler for it."""
