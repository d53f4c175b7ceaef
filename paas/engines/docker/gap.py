"""Where, in a container's own log, the output goes on that was taken already. Pure: decided from what both sides hold.

Attaching gives bytes without times, the log gives lines with their times and in order. So the place is found by the
lines before it; where they stand in several places, by their number, else by the time of the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from paas.engines.docker.frames import STDERR, STDOUT, frames_in

_SECOND = 1_000_000_000
_SLACK = 5 * _SECOND
"""How much earlier than it was taken a line may have been logged."""


class LoggedLine(NamedTuple):
    """One whole line of a container's log, without its end."""

    at: str
    """RFC 3339 with nanoseconds, always of one width: equal only where it is the same line."""
    text: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """The end of a container's log; `is_complete` where that is all of it."""

    lines: Mapping[int, Sequence[LoggedLine]]
    begins: str | None
    is_complete: bool

    @classmethod
    def parse(cls, answer: bytes, *, asked: int) -> "Window":
        """Read the daemon's answer to a request for the last `asked` entries; a line may be several of them."""
        lines: dict[int, list[LoggedLine]] = {STDOUT: [], STDERR: []}
        begun: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
        entries, begins = 0, None
        for (stream, payload), _ in frames_in(answer):
            if stream not in lines:  # what the daemon itself has to say, of a log that is damaged
                continue
            at, _, text = payload.partition(b" ")
            entries += 1
            begins = begins or at.decode()
            begun[stream].append(text.removesuffix(b"\n"))
            if text.endswith(b"\n"):
                lines[stream].append(LoggedLine(at.decode(), b"".join(begun[stream])))
                begun[stream] = []
        return cls(lines, begins, entries < asked)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of one stream's lines that were taken: the last ones, and what else tells where they end."""

    lines: Sequence[bytes]
    rest: bytes
    count: int | None
    """How many they were in all, where that is known."""
    near_ns: int
    """The time at which the last one was taken."""
    mark: str | None = None
    """The time of the last one in the log, where it came from there."""


def lines_after(window: Window, stream: int, taken: Taken) -> Sequence[LoggedLine] | None:
    """Return the lines of a stream that were not taken yet; None where the window has to reach further back."""
    place = _place(window, stream, taken)
    if place is None and window.is_complete:
        place = _by_time(window.lines[stream], taken)
    return None if place is None else _without_rest(window.lines[stream][place:], taken.rest)


def is_broken(window: Window, stream: int, taken: Taken) -> bool:
    """Return whether the whole log begins after what was taken last: so much was printed that Docker has dropped the
    place where it goes on, and what came right behind it."""
    if not (window.is_complete and window.begins and (taken.lines or taken.count)):
        return False
    return _place(window, stream, taken) is None and _nanoseconds(window.begins) > taken.near_ns


def overlap(recent: bytes, attached: bytes, *, at_least: int) -> int | None:
    """Return how much of `attached` is known from the log, whose bytes end in `recent`.

    `at_least` of it came before the log was read. None where the two do not meet, or meet in more than one way.
    """
    borders = [at_least, *_line_ends(attached, at_least + 1)]
    met = [border for border in borders if recent.endswith(attached[:border])]
    return met[0] if len(met) == 1 else None


def _line_ends(data: bytes, start: int) -> list[int]:
    return [index for index in range(start, len(data) + 1) if data[index - 1 : index] == b"\n"]


def _place(window: Window, stream: int, taken: Taken) -> int | None:
    return _by_mark(window.lines[stream], taken.mark) if taken.mark else _by_lines(window, stream, taken)


def _by_mark(lines: Sequence[LoggedLine], mark: str) -> int | None:
    return next((index + 1 for index in range(len(lines) - 1, -1, -1) if lines[index].at == mark), None)


def _by_lines(window: Window, stream: int, taken: Taken) -> int | None:
    lines, known = window.lines[stream], taken.lines
    reaches_back = window.is_complete or (
        window.begins is not None and _nanoseconds(window.begins) < taken.near_ns - _SLACK
    )
    if taken.count == 0 or not lines:
        return 0 if reaches_back else None
    if not known:
        return None
    ends = [index + 1 for index, line in enumerate(lines) if line.text == known[-1]]
    met = [place for place in ends if _ends_alike(lines[:place], known)]
    # A shorter match, at the beginning of the window, counts only where there is no whole one.
    places = [place for place in met if place >= len(known)] or met
    if window.is_complete and taken.count in places:
        return taken.count
    return min(places, key=lambda place: abs(_nanoseconds(lines[place - 1].at) - taken.near_ns), default=None)


def _ends_alike(lines: Sequence[LoggedLine], known: Sequence[bytes]) -> bool:
    """Return whether `lines` end in all that is known, as far back as both reach."""
    return all(line.text == text for line, text in zip(reversed(lines), reversed(known), strict=False))


def _by_time(lines: Sequence[LoggedLine], taken: Taken) -> int:
    """Return the place for lines that the log does not have any more, or has with other bytes than they had."""
    since = _nanoseconds(taken.mark) if taken.mark else taken.near_ns
    return next((index for index, line in enumerate(lines) if _nanoseconds(line.at) > since), len(lines))


def _without_rest(lines: Sequence[LoggedLine], rest: bytes) -> Sequence[LoggedLine]:
    if not (rest and lines and lines[0].text.startswith(rest)):
        return lines
    return [LoggedLine(lines[0].at, lines[0].text[len(rest) :]), *lines[1:]]


def _nanoseconds(moment: str) -> int:
    seconds, _, fraction = moment.rstrip("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp())
    return whole * _SECOND + int(fraction.ljust(9, "0")[:9] or 0)
