"""A backing service of the tests' own: texts under names, over HTTP. What waits for a text waits for the test."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Backing:
    """Serves GET of each name that it holds a text under; all others are not found."""

    def __init__(self, host: str) -> None:
        self._texts: dict[str, str] = {}
        self._server = ThreadingHTTPServer((host, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def url(self, name: str) -> str:
        """Return the URL of a name, whether or not it holds a text."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/{name}"

    def put(self, name: str, text: str = "") -> None:
        self._texts[name] = text

    def remove(self, name: str) -> None:
        self._texts.pop(name, None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        texts = self._texts

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = texts.get(self.path.lstrip("/"))
                self.send_response(404 if text is None else 200)
                self.end_headers()
                self.wfile.write((text or "").encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler
