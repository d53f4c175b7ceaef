"""A backend in a process of its own, that can be killed and come back at its address. It writes down each POST as soon
as it has read it, and says who it is in every answer."""

import subprocess
import sys
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path

from tests.eventually import eventually
from tests.faults.killing import end

_SERVER = r"""
import http.server, os, sys

ledger = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
me = sys.argv[2].encode()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # an answer is sent whole, or not at all

    def do_GET(self):
        self.answer(me + b"\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        os.write(ledger, body.partition(b"\n")[0] + b"\n")
        self.answer(me + b"\n" + body)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    def handle_error(self, *_):
        pass

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Replica:
    """One backend. `start` and `kill` follow each other."""

    def __init__(self, port: int, name: str, *, ledger: Path) -> None:
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._argv = [sys.executable, "-c", _SERVER, str(port), name, str(ledger)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it answers."""
        self._process = subprocess.Popen(self._argv, stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        end(self._process.pid)
        self._process.wait()

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def posts(ledger: Path) -> Counter[int]:
    """Return how often each POST was read by a backend."""
    return Counter(int(line) for line in ledger.read_text().split())
