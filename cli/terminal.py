"""The caller's terminal, made raw for as long as a one-off has it. It is always put back."""

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_ROWS, _COLUMNS = 24, 80
"""The size of a terminal that does not know its own and says 0x0, as a serial line does."""


def has_terminal() -> bool:
    """Return whether both input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def size() -> dict[str, int]:
    """Return the terminal's size as the API takes it."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return {"rows": found.lines or _ROWS, "columns": found.columns or _COLUMNS}


@contextmanager
def raw() -> Iterator[None]:
    """Pass every key on as it is, ^C included, until the block ends."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
