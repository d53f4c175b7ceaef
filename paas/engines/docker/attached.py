"""An attachment to a container's output, as frames and as whole lines. It knows nothing of where lines go."""

from collections.abc import Iterable, Mapping

from paas.domain.log import LINE_LIMIT
from paas.engines.docker.frames import STDERR, STDOUT, Demultiplexer, Frame, LineJoiner
from paas.engines.docker.hijack import Stream

STREAMS = (STDOUT, STDERR)


class Attached:
    """One attachment from its beginning on. Either it is read line by line, or gathered first and then read on."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = Demultiplexer()
        self._joiners = {number: LineJoiner(LINE_LIMIT) for number in STREAMS}
        self._gathered = dict.fromkeys(STREAMS, b"")

    async def read_lines(self) -> list[Frame] | None:
        """Return the whole lines that have come since, at least what was left of those gathered; None at the end."""
        gathered, self._gathered = self._gathered, dict.fromkeys(STREAMS, b"")
        if any(gathered.values()):
            return self._joined([Frame(number, data) for number, data in gathered.items()])
        block = await self._stream.read()
        return self._joined(self._frames.feed(block)) if block else None

    def gather(self) -> Mapping[int, bytes]:
        """Return all that has come so far of each stream, and keep it."""
        for number, payload in self._frames.feed(self._stream.read_now()):
            if number in self._gathered:
                self._gathered[number] += payload
        return dict(self._gathered)

    def skip(self, lengths: Mapping[int, int]) -> None:
        """Forget so much from the beginning of what was gathered."""
        for number, length in lengths.items():
            self._gathered[number] = self._gathered[number][length:]

    def close(self) -> None:
        """Let go of it; the container runs on."""
        self._stream.close()

    def _joined(self, frames: Iterable[Frame]) -> list[Frame]:
        """Return whole lines; frames of one stream that follow each other become one."""
        merged: list[tuple[int, list[bytes]]] = []
        for number, payload in frames:
            if number not in self._joiners:
                continue
            if merged and merged[-1][0] == number:
                merged[-1][1].append(payload)
            else:
                merged.append((number, [payload]))
        lines = (Frame(number, self._joiners[number].feed(b"".join(parts))) for number, parts in merged)
        return [each for each in lines if each.payload]
