"""The words of a build: its steps as `mini push` shows them, and its failures as sentences. No I/O is here."""

import errno
import os
import re
from collections import deque
from collections.abc import Iterator

from builds.trace import Printed, Trace, Vertex
from paas.errors import BuildFailedError, DiskFullError, PaasError

_STEP = re.compile(r"\[(?:stage-0 )?((?:\S+ )?(\d+/\d+))\] (.*)", re.DOTALL)
"""BuildKit counts by stage as soon as there is more than one; the first one needs no name but its own."""
_FOREIGN = re.compile(r"(?:\[internal\] load metadata for|resolve image config for|FROM) (\S+)")
_PUBLIC = re.compile(r"\bdocker\.io/(?:library/)?")
_EXIT = re.compile(r"exit code: (\d+)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SOLVER = re.compile(
    r"(?:failed to solve(?: with frontend \S+)?: |failed to create LLB definition: |failed to compute cache key: "
    r"|rpc error: code = \w+ desc = )+"
)
_CANCELLED = "context canceled"
_KEPT_LINES = 60
_LINE_LIMIT = 64 * 1024


class StepFailedError(BuildFailedError):
    """A command of a Dockerfile failed."""

    def __init__(self, step: str, *, instruction: str, code: int, lines: tuple[str, ...]) -> None:
        super().__init__(f"{step} failed with exit code {code}. Its output says why.")
        self.instruction = instruction
        self.lines = lines
        """The last lines that it printed."""


class NoBaseError(BuildFailedError):
    """A base image is not here and does not come."""

    def __init__(self, image: str, said: str) -> None:
        super().__init__(
            f"The base image {image} is not on this machine and cannot be pulled ({said.rstrip('.')}). Bring it here "
            f"with `docker pull {image}`, or build on another one."
        )
        self.image = image
        """As people name it (`familiar`)."""


class Steps:
    """Follows one build by what is told of it. Steps are numbered by stage, and run side by side where they can."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._over: set[str] = set()
        self._shown: str | None = None
        self._named: set[str] = set()
        self._cached: list[str] = []
        self._rest: dict[tuple[str, int], bytes] = {}
        self._kept: dict[str, deque[str]] = {}
        self._failed: Vertex | None = None

    def read(self, trace: Trace) -> list[str]:
        """Return the lines to show for a report."""
        cached = [line for vertex in trace.vertexes if vertex.cached for line in self._end(vertex)]
        begun = [line for vertex in trace.vertexes if not vertex.completed for line in self._begin(vertex)]
        printed = [line for piece in trace.printed for line in self._print(piece)]
        ended = [line for vertex in trace.vertexes if vertex.completed for line in self._end(vertex)]
        return [*cached, *begun, *printed, *ended]

    def end(self) -> list[str]:
        """Return what is left to show."""
        left = [line for vertex in {vertex for vertex, _ in self._rest} for line in self._finish(vertex)]
        return [*left, *self._take_cached()]

    def failure(self, complaint: str) -> PaasError:
        """Return the error for what the builder complained about last."""
        failed = self._failed
        if failed is None:
            return sentence(complaint)
        if (image := foreign_image(failed)) is not None:
            return not_pulled(image, failed.error)
        step = _STEP.fullmatch(failed.name)
        if step is None:
            return sentence(complaint)
        title = f"Step {step[1]}, `{_one_line(step[3])[:200]}`,"
        if (code := _EXIT.search(failed.error)) is None:
            return sentence(failed.error, step=title)
        lines = tuple(self._kept.get(failed.digest, ()))
        if any(_fills_disk(line) for line in lines):
            return disk_full()
        return StepFailedError(title, instruction=_one_line(step[3]), code=int(code[1]), lines=lines)

    def _begin(self, vertex: Vertex) -> list[str]:
        self._names[vertex.digest] = vertex.name
        return self._name(vertex.digest) if vertex.started and not vertex.cached else []

    def _end(self, vertex: Vertex) -> list[str]:
        self._names[vertex.digest] = vertex.name
        if vertex.digest in self._over:
            return []
        self._over.add(vertex.digest)
        if vertex.error:
            if self._failed is None and not vertex.error.endswith(_CANCELLED):
                self._failed = vertex
                return [*self._name(vertex.digest), *self._finish(vertex.digest)]
            return [*self._finish(vertex.digest)]
        step = _STEP.fullmatch(vertex.name)
        if step is not None and vertex.cached and not step[3].startswith("FROM "):
            self._cached.append(step[1])
            return []
        named = [] if vertex.digest in self._named else self._name(vertex.digest)
        lines = [*named, *self._finish(vertex.digest)]
        self._kept.pop(vertex.digest, None)  # they are of use where a step fails
        return lines

    def _print(self, piece: Printed) -> Iterator[str]:
        key = (piece.vertex, piece.stream)
        *whole, rest = (self._rest.get(key, b"") + piece.message).split(b"\n")
        if len(rest) > _LINE_LIMIT:
            whole, rest = [*whole, rest], b""
        self._rest[key] = rest
        for line in whole:
            yield from self._line(piece.vertex, line)

    def _finish(self, vertex: str) -> Iterator[str]:
        """Yield what a step printed last, which need not end in a line's end."""
        for key in [key for key in self._rest if key[0] == vertex]:
            if rest := self._rest.pop(key):
                yield from self._line(vertex, rest)

    def _line(self, vertex: str, line: bytes) -> list[str]:
        text = _COLOUR.sub("", line.decode(errors="replace")).rstrip("\r")
        self._kept.setdefault(vertex, deque(maxlen=_KEPT_LINES)).append(text)
        return [*self._name(vertex), text]

    def _name(self, digest: str) -> list[str]:
        """Return the line of a step, after one line for the cached ones before, unless it was the last shown."""
        step = _STEP.fullmatch(self._names.get(digest, ""))
        if step is None or self._shown == digest:
            return []
        self._shown = digest
        self._named.add(digest)
        return [*self._take_cached(), f"Step {step[1]}: {_PUBLIC.sub('', _one_line(step[3]))}"]

    def _take_cached(self) -> list[str]:
        cached, self._cached = self._cached, []
        if len(cached) > 1:
            return [f"Steps {cached[0]} to {cached[-1]} are cached"]
        return [f"Step {cached[0]} is cached"] if cached else []


def pull_news(status: str, *, layer: str) -> list[str]:
    """Return the lines to show for what Docker says of an image that is fetched."""
    news = status.startswith(("Pulling from", "Status:")) or (status == "Pull complete" and bool(layer))
    return [f"{status.removeprefix('Status: ')} {layer}".strip()] if news else []


def foreign_image(vertex: Vertex) -> str | None:
    """Return the image that a step of BuildKit's own is about to look up, as people name it."""
    found = _FOREIGN.fullmatch(vertex.name)
    return familiar(found[1]) if found else None


def familiar(image: str) -> str:
    """Return an image's name without the registry that is meant where none is named."""
    return _PUBLIC.sub("", image)


def sentence(message: str, *, step: str = "") -> PaasError:
    """Return the error for a complaint of Docker's builder that is not a command's."""
    said = _SOLVER.sub("", _one_line(message))
    if _fills_disk(said):
        return disk_full()
    where = f"{step} failed" if step else "The Dockerfile cannot be built"
    return BuildFailedError(f"{where}: {said.rstrip('.')}.")


def disk_full() -> DiskFullError:
    """Return the error for a disk that the image has filled."""
    return DiskFullError(
        "The disk that holds Docker's images is full; running apps go on. Free space there (`docker system df` says "
        "what takes it), or run `mini gc`, and push again."
    )


def not_pulled(image: str, said: str) -> PaasError:
    """Return the error for a base image that is not here and does not come, by what Docker said."""
    return disk_full() if _fills_disk(said) else NoBaseError(image, said)


def _fills_disk(line: str) -> bool:
    return os.strerror(errno.ENOSPC).lower() in line.lower()


def _one_line(text: str) -> str:
    return " ".join(text.split())
