"""A daemon of a few answers, on a socket of its own. It takes a session and asks nothing of it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import ClassVar

Answers = dict[str, Callable[[], object]]


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class FakeDocker:
    """Answers each path below its version by what is called for it, else by an empty object, and keeps what it was asked. None is no such image."""

    def __init__(self, path: Path, answers: Answers, *, api: str) -> None:
        self.environ = {"DOCKER_HOST": f"unix://{path}"}
        self.answers: Answers = {"/version": lambda: {"ApiVersion": api}, **answers}
        self.asked: list[str] = []


@contextmanager
def fake_docker(folder: Path, answers: Answers, *, api: str = "1.44") -> Iterator[FakeDocker]:
    path = folder / "docker.sock"
    fake = FakeDocker(path, answers, api=api)

    class Handler(_Handler):
        docker = fake

    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    docker: ClassVar[FakeDocker]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/session":
            self.send_response(101)
            self.end_headers()
            self.rfile.read()
            return
        versioned = path.startswith("/v1.")
        self.docker.asked.append(self.path)
        answer = self.docker.answers.get("/" + path.split("/", 2)[2] if versioned else path, dict)
        said = answer()
        body = json.dumps({"message": "No such image"} if said is None else said).encode()
        self.send_response(404 if said is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        with suppress(OSError):  # whoever asked may have hung up
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing: its caller has no address to be told of."""
