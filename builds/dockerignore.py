"""The .dockerignore of a commit, read as Docker reads it. It decides what a build context leaves out, and reads no file.

A pattern is matched folder by folder and without backtracking: no commit can make this slow.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate

_COMMENT = "#"
_ANY_FOLDERS = None
"""Stands for `**` among the expressions of a pattern."""

_NOTHING = re.compile(r"(?!)")

Expression = re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: an expression for each folder of a path, and whether it keeps what an earlier line left out."""

    expressions: tuple[Expression, ...]
    keeps: bool


class Ignore:
    """Patterns in the order written: the last one that matches a path, or a folder above it, decides."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._matched: dict[str, tuple[bool, ...]] = {"": (False,) * len(self._patterns)}

    def excludes(self, path: str) -> bool:
        """Return whether `path`, relative to the root, is left out."""
        matches = self._matches(path)
        last = next((at for at in reversed(range(len(matches))) if matches[at]), None)
        return last is not None and not self._patterns[last].keeps

    def _matches(self, path: str) -> tuple[bool, ...]:
        folder = path.rpartition("/")[0]
        if folder not in self._matched:
            self._matched[folder] = self._matches(folder)
        parts = path.split("/")
        return tuple(
            above or _matches(pattern.expressions, parts)
            for pattern, above in zip(self._patterns, self._matched[folder], strict=True)
        )


def parse_dockerignore(text: str) -> Ignore:
    """Return what the text leaves out."""
    patterns = []
    for line in text.removeprefix("\ufeff").splitlines():
        written = line.strip()
        if not line.startswith(_COMMENT) and (parts := _parts(written.removeprefix("!").strip())):
            patterns.append(Pattern(tuple(map(_expression, parts)), written.startswith("!")))
    return Ignore(patterns)


def _parts(pattern: str) -> list[str]:
    """Return the folders of a pattern without what changes nothing: `.`, `..` with what it undoes, `**` again."""
    parts: list[str] = []
    for part in pattern.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", ".") and not (part == "**" and parts[-1:] == ["**"]):
            parts.append(part)
    # At the end it means all that is below, and there has to be something.
    return [*parts, "*"] if parts[-1:] == ["**"] else parts


def _expression(part: str) -> Expression:
    if part == "**":
        return _ANY_FOLDERS
    # The standard library knows no backslash, and writes `[!` for what Docker writes `[^`.
    unescaped = re.sub(r"\\(.)", lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], part)
    return re.compile(translate(unescaped.replace("[^", "[!")))


def _matches(expressions: Sequence[Expression], parts: Sequence[str]) -> bool:
    at = here = 0
    retry: tuple[int, int] | None = None
    while here < len(parts):
        expression = expressions[at] if at < len(expressions) else _NOTHING
        if expression is _ANY_FOLDERS:
            retry, at = (at + 1, here), at + 1
        elif expression.match(parts[here]):
            at, here = at + 1, here + 1
        elif retry is not None:
            # The last `**` takes one folder more; an earlier one need never be asked again.
            retry = (retry[0], retry[1] + 1)
            at, here = retry
        else:
            return False
    return all(expression is _ANY_FOLDERS for expression in expressions[at:])
