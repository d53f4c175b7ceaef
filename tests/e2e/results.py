"""What the doors give back, as values that scenarios ask about."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.e2e.engines import Running


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it printed."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"$ {' '.join(self.argv)}\nexit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    def refused(self, code: int, *sentences: str) -> "Result":
        """Assert that it ended with `code`, said each sentence as an error, and showed no traceback."""
        assert self.code == code, f"\n{self}"
        complaint = "\n".join(line for line in self.err.splitlines() if line.startswith((" !", "remote:")))
        assert all(sentence in complaint for sentence in sentences), f"\n{self}"
        assert "Traceback" not in self.out + self.err, f"\n{self}"
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What of an app a refused command must leave as it was."""

    releases: tuple[int, ...]
    current: int | None
    running: Mapping[str, Running]
    formation: Mapping[str, int]
