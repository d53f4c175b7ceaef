"""Waiting in a command line program, always with a deadline. It never runs in the server."""

import threading
import time
from collections.abc import Callable


def pause(seconds: float) -> None:
    """Return after `seconds`; Ctrl-C ends it early."""
    threading.Event().wait(seconds)


def comes_true(check: Callable[[], bool], *, within: float, every: float = 0.02) -> bool:
    """Return whether `check` came true before `within` seconds had passed."""
    deadline = time.monotonic() + within
    while not check():
        if time.monotonic() > deadline:
            return False
        pause(every)
    return True
