"""What a command prints: data on stdout, progress and warnings on stderr. It never asks the server anything."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from cli.escapes import safe

ENGINE_IS_SILENT = "The engine does not answer, so nothing is touched and nothing known: see `mini doctor`."
"""What is said beside instances of which the server knows nothing right now."""

_MARK = {"step": "-----> ", "output": "       ", "warning": " !     ", "error": " !     "}
_COLOURS = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


class Output:
    """The two streams of one invocation."""

    def __init__(self, *, json_wanted: bool = False, quiet: bool = False) -> None:
        self.json_wanted = json_wanted
        self._quiet = quiet
        self._line_is_open = False

    def data(self, text: str) -> None:
        """Print one line of data; what an app may have written is made safe for a terminal."""
        _print(sys.stdout, text)

    def result(self, document: object, lines: Iterable[str]) -> None:
        """Print what a command came to: one JSON document with `--json`, else lines for people."""
        self._line_is_open = False
        if self.json_wanted:
            print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)
            return
        for line in lines:
            self.data(line)

    def record(self, document: object, line: str) -> None:
        """Print one record of a stream: a line of NDJSON with `--json`, else the line for people."""
        if self.json_wanted:
            print(json.dumps(document, ensure_ascii=False, separators=(",", ":")), flush=True)
        else:
            self.data(line)

    def progress(self, text: str) -> None:
        """Print one line of progress, unless quiet."""
        if not self._quiet:
            _print(sys.stderr, text)

    def begin(self, text: str) -> None:
        """Print the beginning of a line that the result completes: `Scaling processes... done`."""
        if not self._quiet and not self.json_wanted:
            self._line_is_open = _one_place()
            print(safe(text), end=" " if self._line_is_open else "\n", file=sys.stderr, flush=True)

    def take_back(self) -> None:
        """Remove a begun line of which nothing came, where that can be done: on a terminal. Elsewhere, end it."""
        if self._line_is_open and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._line_is_open = False
        self.break_line()

    def break_line(self) -> None:
        """End a begun line that no result has completed, before something else is printed there."""
        if self._line_is_open:
            print(file=sys.stderr, flush=True)
            self._line_is_open = False

    def output_line(self, kind: str, text: str) -> None:
        """Print one line of a build or deployment in the form of a buildpack's output."""
        if kind in ("warning", "error") or not self._quiet:
            _print(sys.stderr, _MARK.get(kind, _MARK["output"]) + text)

    def warn(self, text: str) -> None:
        """Print a warning, unless quiet."""
        if not self._quiet:
            complain(text)


def marked(kind: str, text: str) -> str:
    """Return an output line with the mark of its kind in front."""
    return _MARK.get(kind, _MARK["output"]) + text


def complain(text: str) -> None:
    """Print an error or warning on stderr: ` !    ` in front of each line."""
    for line in text.splitlines() or [""]:
        mark = paint(" !   ", "red", stream=sys.stderr)
        _print(sys.stderr, f"{mark} {line}")


def command_shown(command: str) -> str:
    """Return the command of a process type for people: an empty one is the image's own."""
    return command or "the image's CMD"


def heading(text: str) -> str:
    """Return the title of what follows, as `=== text`."""
    return paint(f"=== {text}", "bold")


def paint(text: str, style: str, *, stream: TextIO | None = None) -> str:
    """Return `text` in a colour where the stream is a terminal."""
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if (stream or sys.stdout).isatty() else text


def aligned(rows: Iterable[Sequence[str]], *, gap: str = "  ") -> list[str]:
    """Return rows as lines, each column as wide as its widest cell; the last one is left as it is, its further lines
    below its first."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []
    below = "\n" + " " * sum(width + len(gap) for width in widths[:-1])
    lines = (gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return [line.rstrip().replace("\n", below) for line in lines]


def _one_place() -> bool:
    """Return whether both streams end in the same place, a terminal or a file."""
    try:
        out, err = os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.path.samestat(out, err)


def _print(stream: TextIO, text: str) -> None:
    if stream.isatty():
        text = "\n".join(map(safe, text.split("\n")))
    print(text, file=stream, flush=True)
