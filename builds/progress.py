"""The words of BuildKit, as `docker buildx --progress plain` prints them: its steps as `mini push` shows them, and its
failures as sentences. No I/O is here."""

import errno
import os
import re
from collections import deque

from builds.steps import StepFailedError, disk_full, no_base, sentence
from paas.errors import EngineUnavailableError, PaasError

_LINE = re.compile(r"#(\d+) (.*)", re.DOTALL)
_STEP = re.compile(r"\[((?:[\w.-]+ )?\d+/\d+)\] (.*)", re.DOTALL)
_PRINTED = re.compile(r"\d+\.\d+ ?(.*)", re.DOTALL)
_BASE = re.compile(r"\[internal\] load metadata for (?:docker\.io/(?:library/)?)?(\S+)")
_FAILED = re.compile(r"exit code: (\d+)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_END = "ERROR: failed to solve: "
_NO_DAEMON = "Cannot connect to the Docker daemon"
_KEPT_LINES = 60


class Progress:
    """Follows one build by what it says. Its steps are numbered, and run side by side where they can."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._shown: str | None = None
        self._failed: tuple[str, str] | None = None
        """The number of the step that failed, and why."""
        self._cached: list[str] = []
        self._kept: deque[tuple[str, str]] = deque(maxlen=_KEPT_LINES)

    def read(self, line: str) -> list[str]:
        """Return the lines to show for a line of its output."""
        found = _LINE.fullmatch(_COLOUR.sub("", line))
        if found is None or self._failed is not None:
            return []
        number, said = found[1], found[2]
        if said.startswith("["):
            self._names[number] = said
            return []
        if said == "CACHED":
            return self._take_cached(number)
        if said.startswith("ERROR: "):
            self._failed = (number, said.removeprefix("ERROR: "))
            return self._name(number)
        if printed := _PRINTED.fullmatch(said):
            self._kept.append((number, printed[1]))
            return [*self._name(number), printed[1]]
        return self._name(number) if said.startswith("DONE") else []

    def end(self) -> list[str]:
        """Return what is left to show."""
        cached, self._cached = self._cached, []
        if len(cached) > 1:
            return [f"Steps {cached[0]} to {cached[-1]} are cached"]
        return [f"Step {cached[0]} is cached"] if cached else []

    def failure(self, lines: tuple[str, ...]) -> PaasError:
        """Return the error for a build that failed after `lines`."""
        if any(os.strerror(errno.ENOSPC).lower() in line.lower() for line in lines):
            return disk_full()
        if any(_NO_DAEMON in line for line in lines):
            return EngineUnavailableError(
                "Docker does not answer; what runs is left as it is. Start it, and push again."
            )
        if self._failed is not None:
            return self._of_step(*self._failed)
        said = (line.removeprefix(_END) for line in reversed(lines) if line.startswith("ERROR: "))
        return sentence(next(said, "it does not say why").removeprefix("ERROR: "))

    def _of_step(self, number: str, reason: str) -> PaasError:
        name = self._names.get(number, "")
        if base := _BASE.fullmatch(name):
            return no_base(base[1], reason)
        step = _STEP.fullmatch(name)
        if step is None:
            return sentence(reason)
        title = f"Step {step[1]}, `{step[2][:200]}`,"
        if code := _FAILED.search(reason):
            kept = tuple(text for of, text in self._kept if of == number)
            return StepFailedError(title, instruction=step[2], code=int(code[1]), lines=kept)
        return sentence(reason, step=title)

    def _take_cached(self, number: str) -> list[str]:
        step = _STEP.fullmatch(self._names.get(number, ""))
        if step is None or step[2].startswith("FROM "):  # an image that is here is nobody's news
            return self._name(number)
        self._cached.append(step[1])
        return []

    def _name(self, number: str) -> list[str]:
        """Return the line of a step, after one line for the cached ones before, unless it was the last shown."""
        step = _STEP.fullmatch(self._names.get(number, ""))
        if step is None or self._shown == number:
            return []
        self._shown = number
        return [*self.end(), f"Step {step[1]}: {step[2]}"]
