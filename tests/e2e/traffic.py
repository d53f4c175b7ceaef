"""Requests without a pause, from one client that counts every answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.harness import Mini
from tests.e2e.results import Answer


@contextmanager
def traffic(mini: Mini, app: str) -> Iterator[list[Answer]]:
    """Ask an app without a pause; gives the answers, which grow."""
    answers: list[Answer] = []
    over = threading.Event()
    address = mini.http

    def ask() -> None:
        while not over.is_set():
            answers.append(mini.request(app, address=address))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()
