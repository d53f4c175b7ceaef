"""From bytes to lines, as pure functions. They never decode what an instance wrote, and never keep anything."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from paas.domain.log import LINE_LIMIT
from paas.logs.record import Batch, Bytes, Kind

_APP = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_PLATFORM_HEAD_LIMIT = 1024
"""Room for what stands before the text in a line of the platform."""


class Cut(NamedTuple):
    """The lines at the beginning of a block: `lines` of them in `payload`, made of the block's first `used` bytes."""

    payload: Bytes
    lines: int
    used: int


def cut(data: bytes) -> Cut:
    """Return the complete lines of `data`; one over LINE_LIMIT becomes several, at the borders of UTF-8 characters.

    What is left after `used` is at most LINE_LIMIT bytes long. Cutting may begin again at any `used` and gives the
    same lines. Nothing is copied where no line is too long.
    """
    end = data.rfind(b"\n") + 1
    if len(data) - end <= LINE_LIMIT and _all_short(data, end):
        return Cut(memoryview(data)[:end], data.count(b"\n"), end)
    return _split(data)


def _all_short(data: bytes, end: int) -> bool:
    start = 0
    while start < end:
        start = data.rfind(b"\n", start, start + LINE_LIMIT + 1) + 1
        if not start:
            return False
    return True


def _split(data: bytes) -> Cut:
    pieces: list[bytes] = []
    start = 0
    while True:
        newline = data.find(b"\n", start, start + LINE_LIMIT + 1)
        if newline >= 0:
            pieces.append(data[start : newline + 1])
            start = newline + 1
        elif len(data) - start > LINE_LIMIT:
            end = character_border(data, start + LINE_LIMIT)
            pieces.append(data[start:end] + b"\n")
            start = end
        else:
            return Cut(b"".join(pieces), len(pieces), start)


def character_border(data: bytes, position: int) -> int:
    """Return the nearest place at or shortly before `position` that is not inside a UTF-8 character."""
    for border in range(position, position - 4, -1):
        if data[border] & 0xC0 != 0x80:
            return border
    return position


@dataclass(slots=True)
class PlatformLineGroup:
    """Lines of the platform that follow each other in one app's log. `end` is where the last one ends in the block."""

    app: str
    source: bytes
    instance: bytes
    version: int
    lines: list[bytes] = field(default_factory=list)
    end: int = 0

    def is_like(self, other: "PlatformLineGroup") -> bool:
        """Return whether the lines of both may stand in one record."""
        return (self.source, self.instance, self.version) == (other.source, other.instance, other.version)

    def batch(self, *, at: int, spool: int, start: int) -> Batch:
        """Return these lines as a batch that was read at `at` from a block at the offset `start` of the spool."""
        payload = b"".join(line + b"\n" for line in self.lines)
        return Batch(
            Kind.STAMPED, self.source, self.instance, self.version, at, len(self.lines), spool, start + self.end, payload
        )  # fmt: skip


def platform_lines(data: bytes, *, stored: Callable[[str], int]) -> tuple[list[PlatformLineGroup], int]:
    """Return the platform's lines in `data`, in the order of each app, and how many bytes of it they are.

    A line is `<unix ns> TAB <app> TAB <source> TAB <instance> TAB <version> TAB <text>`; what is no such line is left
    out. `stored(app)` says up to which place of the block the app's lines are in its log already.
    """
    used = data.rfind(b"\n") + 1
    if len(data) - used > LINE_LIMIT + _PLATFORM_HEAD_LIMIT:
        return [], len(data)
    groups: list[PlatformLineGroup] = []
    newest: dict[str, PlatformLineGroup] = {}
    done: dict[str, int] = {}
    end = 0
    for line in data[:used].split(b"\n")[:-1]:
        end += len(line) + 1
        head = line.split(b"\t", 5)
        if not _is_platform_line(head):
            continue
        group = PlatformLineGroup(head[1].decode(), head[2], head[3], int(head[4]))
        if end <= _place(done, group.app, stored):
            continue
        last = newest.get(group.app)
        if last is None or not group.is_like(last):
            newest[group.app] = last = group
            groups.append(group)
        last.lines.append(head[0] + b"\t" + head[5])
        last.end = end
    return groups, used


def _place(done: dict[str, int], app: str, stored: Callable[[str], int]) -> int:
    if app not in done:
        done[app] = stored(app)
    return done[app]


def _is_platform_line(head: list[bytes]) -> bool:
    return (
        len(head) == 6
        and head[0].isdigit()
        and len(head[0]) < 20
        and head[4].isdigit()
        and len(head[4]) < 10
        and _APP.fullmatch(head[1]) is not None
        and len(head[2]) < 64
        and len(head[3]) < 256
    )
