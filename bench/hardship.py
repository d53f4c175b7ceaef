"""The router when it is hard: how soon a fresh one routes its first request, and what ordinary clients notice of a
thousand that send their heads a byte at a time.
"""

import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from bench.router.contenders import HOST, mini, quick_backend
from bench.router.load import Load, Sample, measure
from bench.row import Row

STARTS = 5
START_GOAL_SECONDS = 0.3
SLOW_CLIENTS = 1000
SLOW_PAUSE = 0.5
ROUNDS = 3


def rows() -> Iterator[Row]:
    """Yield the time from a router's start to its first answer, and the slowest percent beside slow clients."""
    with tempfile.TemporaryDirectory() as folder, quick_backend(Path(folder)) as app:
        starts = [_seconds_to_first_answer(app.port) for _ in range(STARTS)]
        yield Row("start to first request", "0.3 s", "s", starts, [START_GOAL_SECONDS], 1.0)
        without, beside = _p99(app.port)
        yield Row(
            f"p99 beside {SLOW_CLIENTS} slow clients",
            "without",
            "ms",
            [sample.p99 for sample in beside],
            [sample.p99 for sample in without],
        )


def _seconds_to_first_answer(app: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with mini(Path(folder), app) as router:
            connection = HTTPConnection("127.0.0.1", router.port)
            connection.request("GET", "/", headers={"Host": HOST})
            if connection.getresponse().status != 200:
                raise AssertionError("the first request was not routed")
            return time.perf_counter() - began


def _p99(app: int) -> tuple[list[Sample], list[Sample]]:
    """Return samples without slow clients and with them, taken in turns."""
    with ExitStack() as stack:
        router = stack.enter_context(mini(Path(stack.enter_context(tempfile.TemporaryDirectory())), app))
        without, beside = [], []
        for _ in range(ROUNDS):
            without.append(measure(Load(), port=router.port, pid=router.pid, known=[]))
            with _slow_clients(router.port):
                beside.append(measure(Load(), port=router.port, pid=router.pid, known=[]))
        return without, beside


@contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    ended = threading.Event()
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(SLOW_CLIENTS)
        ]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\n")
        trickle = threading.Thread(target=_trickle, args=(clients, ended))
        trickle.start()
        try:
            yield
        finally:
            ended.set()
            trickle.join()


def _trickle(clients: Sequence[socket.socket], ended: threading.Event) -> None:
    """Send a byte of each head, again and again."""
    while not ended.wait(SLOW_PAUSE):
        for client in clients:
            client.sendall(b"x")
