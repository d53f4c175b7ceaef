"""The words of Docker's builder: its steps as `mini push` shows them, and its failures as sentences. No I/O is here."""

import errno
import os
import re
from collections import deque

from paas.errors import BuildFailedError, DiskFullError, PaasError

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_NOISE = re.compile(
    r" ---> (?:Running in )?[0-9a-f]{12}|Removing intermediate container [0-9a-f]{12}"
    r"|Successfully (?:built|tagged) .*|\[Warning\] One or more build-args .*"
)
_BUILDERS_OWN = re.compile(r"Step \d+/\d+ : | ---> |Removing intermediate container [0-9a-f]{12}\n")
_FOREIGN = re.compile(r"FROM (?:--\S+ )?(\S+)|COPY .*--from=(\S+)", re.IGNORECASE)
_DEFAULT = re.compile(r"ARG (\w+)=[\"']?([^\"']+)[\"']?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_CONTAINER = re.compile(r" ---> Running in ([0-9a-f]{12})")
_LAYER = re.compile(r" ---> ([0-9a-f]{12})")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CACHED = " ---> Using cache"
_RETURNED = re.compile(r"The command '(.*)' returned a non-zero code: (\d+)", re.DOTALL)
_NO_IMAGE = re.compile(
    r"pull access denied|manifest (?:for \S+ )?(?:not found|unknown)|repository does not exist|not found: manifest"
    r"|dial tcp|no such host|connection refused|i/o timeout|TLS handshake|x509:|unauthorized|toomanyrequests"
    r"|Client\.Timeout"
)
_NEEDS_BUILDKIT = re.compile(r"requires BuildKit|unknown flag: (?:mount|link|parents|exclude)")
_LAYER_GONE = re.compile(r"unknown parent image ID|layer does not exist")
_KEPT_LINES = 60
_LINE_LIMIT = 64 * 1024


class StepFailedError(BuildFailedError):
    """A command of a Dockerfile failed."""

    def __init__(self, step: str, *, instruction: str, code: int, lines: tuple[str, ...]) -> None:
        super().__init__(f"{step} failed with exit code {code}. Its output says why.")
        self.instruction = instruction
        self.lines = lines
        """The last lines that it printed."""


class LayerGoneError(BuildFailedError):
    """A cached layer was removed in the middle of a build, with the last image that had it."""


class Steps:
    """Follows one build by what it says. `appended` is how many steps of its own mini has added at the end."""

    def __init__(self, *, appended: int) -> None:
        self._appended = appended
        self._rest = ""
        self._defaults: dict[str, str] = {}
        self._number = 0
        self._step = ""
        self._instruction = ""
        self._waiting: str | None = None
        self._cached: list[int] = []
        self._is_own = False
        self._is_given = False
        """Whether the step's image was there before: a base, or one from the cache."""
        self._kept: deque[str] = deque(maxlen=_KEPT_LINES)
        self.container: str | None = None
        """The container that ran last."""
        self.layers: list[str] = []
        """The images without a name that this build has made, one for each step that was not cached."""

    def read(self, text: str) -> list[str]:
        """Return the lines to show for a piece of output, which may begin and end anywhere."""
        if self._rest and _BUILDERS_OWN.match(text):
            # What a command printed last need not end in a line's end.
            text = f"\n{text}"
        *whole, self._rest = (self._rest + _COLOUR.sub("", text)).split("\n")
        if len(self._rest) > _LINE_LIMIT:
            whole, self._rest = [*whole, self._rest], ""
        return [line for each in whole for line in self._line(each.rstrip("\r"))]

    def pulling(self, status: str, *, layer: str) -> list[str]:
        """Return the lines to show for a message about a base image that is fetched."""
        news = status.startswith(("Pulling from", "Status:")) or (status == "Pull complete" and bool(layer))
        shown = f"{status.removeprefix('Status: ')} {layer}".strip()
        return [*self._flush(), shown] if news else self._flush()

    def end(self) -> list[str]:
        """Return what is left to show."""
        return self.read("\n") if self._rest else self._flush()

    def failure(self, message: str) -> PaasError:
        """Return the error for what the builder complained about last."""
        if returned := _RETURNED.search(message):
            lines = tuple(self._kept)
            if any(os.strerror(errno.ENOSPC) in line for line in lines):
                return disk_full()
            return StepFailedError(
                self._step, instruction=self._instruction, code=int(returned[2]), lines=lines
            )
        meant = _VARIABLE.sub(lambda name: self._defaults.get(name[1], name[0]), self._instruction)
        return sentence(message, step=self._step, instruction=meant)

    def _line(self, line: str) -> list[str]:
        if step := _STEP.fullmatch(line):
            self._begin(int(step[1]), int(step[2]) - self._appended, instruction=step[3])
            return []
        if line == _CACHED and self._waiting is not None:
            self._waiting = None
            self._is_given = True
            self._cached.append(self._number)
            return []
        if (layer := _LAYER.fullmatch(line)) and not self._is_given:
            self.layers.append(layer[1])
        if container := _CONTAINER.fullmatch(line):
            self.container = container[1]
        if _NOISE.fullmatch(line):
            return self._flush() if self._waiting is not None else []
        if self._is_own:
            return []
        self._kept.append(line)
        return [*self._flush(), line]

    def _begin(self, number: int, total: int, *, instruction: str) -> None:
        self._number, self._is_own = number, number > total
        self._is_given = instruction.upper().startswith("FROM ")
        if not self._is_own:
            shown = " ".join(instruction.split())
            if default := _DEFAULT.fullmatch(shown):
                self._defaults[default[1]] = default[2]
            self._step, self._instruction = f"Step {number}/{total}, `{shown[:200]}`,", shown
            # What is said next tells whether it was cached.
            self._waiting = f"Step {number}/{total}: {shown}"
            self._kept.clear()

    def _flush(self) -> list[str]:
        """Return the line of the step that has begun, after one line for all the cached ones before it."""
        cached, self._cached = self._cached, []
        waiting, self._waiting = self._waiting, None
        lines = []
        if cached:
            which = f"Steps {cached[0]} to {cached[-1]} are" if len(cached) > 1 else f"Step {cached[0]} is"
            lines.append(f"{which} cached")
        return lines if waiting is None else [*lines, waiting]


def sentence(message: str, *, step: str = "", instruction: str = "") -> PaasError:
    """Return the error for a complaint of Docker's builder that is not a command's."""
    said = " ".join(message.split())
    if os.strerror(errno.ENOSPC).lower() in said.lower():
        return disk_full()
    foreign = _FOREIGN.match(instruction)
    if foreign is not None and _NO_IMAGE.search(said):
        return no_base(foreign[1] or foreign[2], said)
    if _NEEDS_BUILDKIT.search(said):
        return BuildFailedError(
            f"{step or 'The Dockerfile'} needs BuildKit, and without `docker buildx` mini builds with Docker's classic "
            f"builder: {said}. Install buildx, or write the step without it."
        )
    where = f"{step} failed" if step else "The Dockerfile cannot be built"
    kind = LayerGoneError if _LAYER_GONE.search(said) else BuildFailedError
    return kind(f"{where}: {said.rstrip('.')}.")


def disk_full() -> DiskFullError:
    """Return the error for a disk that the image has filled."""
    return DiskFullError(
        "The disk that holds Docker's images is full; running apps go on. Free space there (`docker system df` says "
        "what takes it), or run `mini gc`, and push again."
    )


def no_base(image: str, said: str) -> BuildFailedError:
    """Return the error for a base image that is not here and does not come."""
    return BuildFailedError(
        f"The base image {image} is not on this machine and cannot be pulled ({said.rstrip('.')}). Bring it here with "
        f"`docker pull {image}`, or build on another one: the FROM line of a Dockerfile, or for apps without one "
        "MINI_BASE_PYTHON, MINI_BASE_NODE or MINI_BASE_PLAIN."
    )
