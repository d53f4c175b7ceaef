"""A daemon of a few answers, on a socket of its own."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import ClassVar

Answers = dict[str, Callable[[], object]]


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class FakeDocker:
    """Answers each path below its version by what is called for it, else by an empty object, and keeps what it was asked."""

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
        versioned = path.startswith("/v1.")
        self.docker.asked.append(self.path)
        answer = self.docker.answers.get("/" + path.split("/", 2)[2] if versioned else path, dict)
        body = json.dumps(answer()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing: its caller has no address to be told of."""
