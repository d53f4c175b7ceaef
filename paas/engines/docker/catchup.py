"""Catching up: takes from a container's own log what came while nobody was attached, until an attachment goes on exactly
where the log ends. It passes nothing on itself.

Attaching comes first, reading the log second. Once the first bytes of the attachment are met at the end of what the log
gave, in one way only, it is certain where the one ends and the other goes on. Until then the log is read again and
again, by its end: lines there have times, so none is taken twice.
"""

import heapq
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import groupby

from paas.clock import Clock
from paas.engines.docker.attached import STREAMS, Attached
from paas.engines.docker.client import Daemon
from paas.engines.docker.frames import STDOUT
from paas.engines.docker.gap import LoggedLine, Taken, Window, is_broken, lines_after, overlap
from paas.engines.docker.journal import KEEP, Journal
from paas.errors import EngineUnavailableError, NotFoundError
from paas.threads import in_thread

log = logging.getLogger(__name__)

_FIRST_TAIL = 64
_TAIL_GROWS = 8
_SETTLE = 0.2
"""Seconds after which the log surely has what came before an attachment."""
_AGAIN = 0.1
_RETRY = 1.0
_TRIES = 20
"""How often one attachment is looked for in the log before another is made."""
_PIECE = 256 * 1024

_MISSING = b"mini: lines are missing here: while nobody could take them, more was printed than Docker keeps\n"

Take = Callable[[int, bytes], Awaitable[None]]


class CatchUp:
    """One gap. `since_ns` is when something was taken last."""

    def __init__(
        self, container: str, journal: Journal, *, daemon: Daemon, clock: Clock, take: Take, since_ns: int
    ) -> None:
        self._container = container
        self._journal = journal
        self._daemon = daemon
        self._clock = clock
        self._take = take
        self._since_ns = since_ns
        self._marks: dict[int, str] = {}
        self._is_told = False

    async def run(self) -> Attached | None:
        """Return an attachment with nothing missing before it; None once the container has ended and all is taken.

        A daemon that does not answer is asked again for as long as it takes.
        """
        while True:
            try:
                if not await self._is_running():
                    await self._take_from_log()
                    return None
                if attached := await self._meet():
                    return attached
            except NotFoundError:  # it was removed, and its log with it
                return None
            except EngineUnavailableError as error:
                log.debug("the daemon does not answer", extra={"reason": error.message})
                await self._clock.sleep(_RETRY)

    async def _is_running(self) -> bool:
        return not (await self._daemon.get(self._container)).is_over

    async def _meet(self) -> Attached | None:
        attached = Attached(await self._daemon.attach(self._container))
        try:
            await self._clock.sleep(_SETTLE)
            for _ in range(_TRIES):
                # An attachment made after the end would wait for ever, so it counts only if the container still runs.
                if not await self._is_running():
                    break
                before = attached.gather()
                await self._take_from_log()
                if self._goes_on(attached, before):
                    return attached
                if sum(map(len, before.values())) > KEEP:
                    break
                await self._clock.sleep(_AGAIN)
        except BaseException:
            attached.close()
            raise
        attached.close()
        return None

    def _goes_on(self, attached: Attached, before: Mapping[int, bytes]) -> bool:
        after = attached.gather()
        known: dict[int, int] = {}
        for stream in STREAMS:
            length = overlap(self._journal.recent(stream), after[stream], at_least=len(before[stream]))
            if length is None:
                return False
            known[stream] = length
        attached.skip(known)
        return True

    async def _take_from_log(self) -> None:
        for stream, lines in _in_pieces(await self._new_lines()):
            await self._take(stream, b"".join(line.text + b"\n" for line in lines))
            self._marks[stream] = lines[-1].at

    async def _new_lines(self) -> dict[int, Sequence[LoggedLine]]:
        tail = _FIRST_TAIL
        while True:
            answer = await self._daemon.log(self._container, tail=tail)
            window = await in_thread(Window.parse, answer, asked=tail)
            found = {stream: lines_after(window, stream, self._taken(stream)) for stream in STREAMS}
            new = {stream: lines for stream, lines in found.items() if lines is not None}
            if len(new) == len(found):
                await self._tell_if_broken(window)
                return new
            tail *= _TAIL_GROWS

    async def _tell_if_broken(self, window: Window) -> None:
        if (
            self._is_told
            or self._marks
            or not any(is_broken(window, stream, self._taken(stream)) for stream in STREAMS)
        ):
            return
        self._is_told = True
        log.warning("lines are missing", extra={"container": self._container})
        await self._take(STDOUT, _MISSING)

    def _taken(self, stream: int) -> Taken:
        lines, rest = self._journal.context(stream)
        return Taken(
            lines, rest, self._journal.count(stream), near_ns=self._since_ns, mark=self._marks.get(stream)
        )


def _in_pieces(new: Mapping[int, Sequence[LoggedLine]]) -> Iterator[tuple[int, list[LoggedLine]]]:
    """Yield the lines of all streams in the order of their times, those of one stream together, in small pieces."""
    tagged = ([(line.at, stream, line) for line in lines] for stream, lines in new.items())
    for stream, group in groupby(heapq.merge(*tagged, key=lambda each: each[0]), key=lambda each: each[1]):
        piece: list[LoggedLine] = []
        size = 0
        for _, _, line in group:
            piece.append(line)
            size += len(line.text)
            if size > _PIECE:
                yield stream, piece
                piece, size = [], 0
        if piece:
            yield stream, piece
