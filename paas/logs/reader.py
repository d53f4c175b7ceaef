"""The reading end of an app's log: its last lines, and its lines from any sequence on. It reads files and nothing else.

A record's head is enough to pass over it; lines are made only of records that may hold wanted ones. The cost of a
question is that of its answer and of one segment, whatever the size of the log.
"""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from paas.domain.log import LogFilter, LogLine
from paas.logs.grep import Grep
from paas.logs.record import Kind, Record
from paas.logs.segment import Segment, first_in, segments_in

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATENESS = timedelta(minutes=1)
"""How much older than its record a line of the platform may be."""


def tail(folder: Path, *, filter: LogFilter, last: int) -> list[LogLine]:  # noqa: A002 - the word of the CLI and the API
    """Return the last `last` lines that pass `filter`, oldest first."""
    wanted = _Wanted(filter)
    if last <= 0:
        return []
    candidates = _newest_first(folder, wanted)
    grep = Grep(filter.pattern) if filter.pattern else None
    try:
        found = list(islice(grep.each(candidates) if grep else candidates, last))
    finally:
        if grep:
            grep.close()
    found.reverse()
    return found


def latest(folder: Path) -> int:
    """Return the sequence of the last line; 0 where there is none yet."""
    for path in reversed(segments_in(folder)):
        try:
            with Segment(path) as segment:
                for _, found in segment.backward():
                    return found.last
        except FileNotFoundError:
            continue
    return 0


def _newest_first(folder: Path, wanted: "_Wanted") -> Iterator[LogLine]:
    for path in reversed(_until(segments_in(folder), wanted.filter.until)):
        try:
            segment = Segment(path)
        except FileNotFoundError:  # the budget took it just now
            return
        with segment:
            for block, found in segment.backward():
                if wanted.is_past(found):
                    return
                if wanted.may_be_in(found):
                    yield from (line for line in lines_backward(block, found) if wanted.has(line))


def _until(paths: list[Path], until: datetime | None) -> list[Path]:
    if until is None:
        return paths
    limit = (until + _LATENESS).timestamp() * 1e9
    return paths[: bisect_right(paths, limit, key=_began)]


def _began(path: Path) -> int:
    try:
        with Segment(path) as segment:
            return segment.began()
    except FileNotFoundError:
        return 0


class _Wanted:
    """A filter but for its pattern, asked of whole records first."""

    def __init__(self, filter: LogFilter) -> None:  # noqa: A002 - the word of the CLI and the API
        self.filter = replace(filter, pattern=None)
        self._of_records = replace(self.filter, since=None, until=None)
        self.has_all = self._of_records == self.filter

    def is_past(self, found: Record) -> bool:
        """Return whether no line of this record or of an older one can be wanted."""
        return self.filter.since is not None and moment(found.at) < self.filter.since

    def may_be_in(self, found: Record) -> bool:
        """Return whether the record may hold a wanted line."""
        if found.kind is Kind.CHECKPOINT or self._is_to_come(found):
            return False
        probe = LogLine(found.first, _EPOCH, found.source, found.instance, found.version, "")
        return self._of_records.matches(probe)

    def _is_to_come(self, found: Record) -> bool:
        """Return whether all lines of the record are newer than what is wanted."""
        if self.filter.until is None:
            return False
        lateness = _LATENESS if found.kind is Kind.STAMPED else timedelta()
        return moment(found.at) > self.filter.until + lateness

    def has(self, line: LogLine) -> bool:
        """Return whether `line`, of a record that may hold wanted ones, is wanted."""
        return self.has_all or self.filter.matches(line)


class Cursor:
    """Reads an app's log forwards, from the line after the sequence `after`. Blocking; closed by its owner."""

    def __init__(self, folder: Path, *, filter: LogFilter, after: int) -> None:  # noqa: A002 - as above
        self._folder = folder
        self._wanted = _Wanted(filter)
        self._grep = Grep(filter.pattern) if filter.pattern else None
        self._after = after
        self._segment: Segment | None = None
        self._position = 0

    def read(self) -> list[LogLine] | None:
        """Return the wanted lines of the next block, perhaps none; None at the end of the log, for now.

        Where the budget took lines that were not read yet, a line of the platform says how many.
        """
        segment = self._segment or self._open(self._place())
        if segment is None:
            return None
        found = self._block(segment)
        if found is not None:
            return found
        following = self._following(segment)
        if following is None:
            return self._leave() if segment.is_gone() else None
        found = self._block(
            segment
        )  # what was written between the last look and the next segment's beginning
        if found is None:
            self._open(following)
        return found or []

    def close(self) -> None:
        """Let go of the segment, and end a search."""
        self._let_go()
        if self._grep:
            self._grep.close()

    def _let_go(self) -> None:
        if self._segment:
            self._segment.close()
            self._segment = None

    def _leave(self) -> list[LogLine]:
        self._let_go()
        return []

    def _place(self) -> Path | None:
        paths = segments_in(self._folder)
        if not paths:
            return None
        return paths[max(0, bisect_right(paths, self._after + 1, key=first_in) - 1)]

    def _open(self, path: Path | None) -> Segment | None:
        self._let_go()
        if path is not None:
            with suppress(FileNotFoundError):
                self._segment, self._position = Segment(path), 0
        return self._segment

    def _following(self, segment: Segment) -> Path | None:
        paths = segments_in(self._folder)
        index = bisect_right(paths, segment.first, key=first_in)
        return paths[index] if index < len(paths) else None

    def _block(self, segment: Segment) -> list[LogLine] | None:
        lines: list[LogLine] = []
        current: bytes | None = None
        for block, found in segment.forward(self._position):
            if current is not None and block is not current:
                break
            current = block
            self._position += found.size
            lines += self._new(block, found)
        return None if current is None else lines

    def _new(self, block: bytes, found: Record) -> list[LogLine]:
        if found.lines == 0 or found.last <= self._after:
            return []
        wanted = self._gap(found)
        if self._wanted.may_be_in(found):
            lines = lines_forward(block, found, after=self._after)
            wanted += self._matching([line for line in lines if self._wanted.has(line)])
        self._after = found.last
        return wanted

    def _matching(self, lines: list[LogLine]) -> list[LogLine]:
        return list(self._grep.each(lines)) if self._grep else lines

    def _gap(self, found: Record) -> list[LogLine]:
        missing = found.first - 1 - self._after
        if missing <= 0 or self._after == 0:
            return []
        text = f"{missing} lines are gone: the log's budget took them before they were read."
        return [LogLine(found.first - 1, moment(found.at), "mini", "logs", 0, text)]


def lines_forward(block: bytes, found: Record, *, after: int) -> list[LogLine]:
    """Return the record's lines with a sequence over `after`."""
    skipped = max(0, after + 1 - found.first)
    texts = _texts(block, found)
    if found.kind is Kind.STAMPED:
        return [_stamped(found, found.first + i, text) for i, text in enumerate(texts) if i >= skipped]
    at, source, instance, version = moment(found.at), found.source, found.instance, found.version
    return [
        LogLine(sequence, at, source, instance, version, text)
        for sequence, text in enumerate(texts[skipped:], start=found.first + skipped)
    ]


def lines_backward(block: bytes, found: Record) -> Iterator[LogLine]:
    """Yield the record's lines, newest first; a line is made only when it is asked for."""
    texts = _texts(block, found)
    at = moment(found.at)
    for index in range(len(texts) - 1, -1, -1):
        if found.kind is Kind.STAMPED:
            yield _stamped(found, found.first + index, texts[index])
        else:
            yield LogLine(found.first + index, at, found.source, found.instance, found.version, texts[index])


def moment(nanoseconds: int) -> datetime:
    """Return a Unix time in ns as a time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _texts(block: bytes, found: Record) -> list[str]:
    """Return what to show of the lines: invalid UTF-8 replaced, CRLF taken as a line's end."""
    text = block[found.start : found.end].decode("utf-8", "replace").replace("\r\n", "\n")
    return text.split("\n")[:-1]


def _stamped(found: Record, sequence: int, text: str) -> LogLine:
    stamp, _, rest = text.partition("\t")
    return LogLine(sequence, moment(int(stamp)), found.source, found.instance, found.version, rest)
