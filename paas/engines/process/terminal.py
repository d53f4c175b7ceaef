"""A pseudo-terminal for a one-off (pty(7)). It moves no bytes: the attachment does."""

import fcntl
import os
import struct
import termios
from dataclasses import dataclass

from paas.engines.base import TerminalSize


@dataclass(frozen=True, slots=True)
class Terminal:
    """Both ends of one pseudo-terminal: ours, and the one that the one-off opens by `name`."""

    ours: int
    theirs: int
    name: str

    @classmethod
    def open(cls, size: TerminalSize) -> "Terminal":
        """Return a new terminal of that size; both ends are to be closed by the caller."""
        ours, theirs = os.openpty()
        set_size(ours, size)
        return cls(ours, theirs, os.ttyname(theirs))


def set_size(terminal: int, size: TerminalSize) -> None:
    """Set a terminal's size; its foreground group gets SIGWINCH where that is a change."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
