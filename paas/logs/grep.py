"""A regular expression over lines, searched by a child process. The pattern is never run in this process.

`re` holds the interpreter's lock while it searches: one pattern that backtracks would stop the whole control plane.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock

from paas.domain.log import LogLine
from paas.errors import InvalidError

SEARCH_LIMIT = 2.0
"""Processor time, in seconds, for one search of up to BATCH lines."""

BATCH = 256

_CHILD = Path(__file__).with_name("grep_child.py")


class Grep:
    """Lets those lines pass that match. Blocking; its child starts with the first lines; closed by its owner."""

    def __init__(self, pattern: re.Pattern[str], *, limit: float = SEARCH_LIMIT) -> None:
        self._pattern = pattern
        self._limit = limit
        self._child: subprocess.Popen[str] | None = None
        self._is_closed = False
        self._lock = Lock()

    def each(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        """Yield the lines that match, as they are asked for, a batch at a time."""
        rest = iter(lines)
        while batch := list(islice(rest, BATCH)):
            yield from self.matching(batch)

    def matching(self, lines: Sequence[LogLine]) -> list[LogLine]:
        """Return the lines that match; raises InvalidError where the search takes too long."""
        if not lines:
            return []
        child = self._running()
        assert child.stdin is not None  # noqa: S101 - a pipe
        assert child.stdout is not None  # noqa: S101 - a pipe
        try:
            child.stdin.write(json.dumps([line.text for line in lines]) + "\n")
            child.stdin.flush()
            answer = child.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise InvalidError(
                f"The search for {self._pattern.pattern!r} was ended: it took over {self._limit:g} s for a few lines. "
                "Use a pattern without repeats inside of repeats."
            )
        return [lines[index] for index in json.loads(answer)]

    def close(self) -> None:
        """End the child, also in the middle of a search."""
        with self._lock:
            self._is_closed = True
            child, self._child = self._child, None
        if child:
            child.kill()
            child.communicate()

    def _running(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._is_closed:
                raise InvalidError("The search was ended: nobody reads the log any more.")
            if self._child is None:
                self._child = self._start()
            return self._child

    def _start(self) -> subprocess.Popen[str]:
        flags = str(int(self._pattern.flags))
        arguments = (self._pattern.pattern, flags, str(self._limit))
        command = [sys.executable, "-I", "-S", "-X", "utf8", str(_CHILD), *arguments]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
