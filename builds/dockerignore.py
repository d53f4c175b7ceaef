"""The .dockerignore of a commit, read as Docker reads it. It decides what a build context leaves out, and reads no file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from paas.errors import BuildFailedError

_COMMENT = "#"


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    keeps: bool


class Ignore:
    """Patterns in the order written: the last one that matches a path, or a folder above it, decides."""

    def __init__(self, patterns: Iterable[_Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._matched: dict[str, tuple[bool, ...]] = {"": (False,) * len(self._patterns)}

    def excludes(self, path: str) -> bool:
        """Return whether `path`, relative to the root, is left out."""
        excluded = False
        for pattern, matched in zip(self._patterns, self._matches(path), strict=True):
            if matched:
                excluded = not pattern.keeps
        return excluded

    def _matches(self, path: str) -> tuple[bool, ...]:
        folder = path.rpartition("/")[0]
        if folder not in self._matched:
            self._matched[folder] = self._matches(folder)
        above = self._matched[folder]
        return tuple(
            inherited or pattern.expression.fullmatch(path) is not None
            for pattern, inherited in zip(self._patterns, above, strict=True)
        )


def parse_dockerignore(text: str) -> Ignore:
    """Return what the text leaves out; raises BuildFailedError naming the line of a pattern that cannot be read."""
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.startswith(_COMMENT) or not (written := line.strip()):
            continue
        keeps = written.startswith("!")
        cleaned = _clean(written.removeprefix("!").strip())
        if cleaned:
            patterns.append(_Pattern(_compiled(cleaned, number), keeps))
    return Ignore(patterns)


def _clean(pattern: str) -> str:
    """Return the pattern without what changes nothing: slashes at its ends, `.`, and `..` with what it undoes."""
    parts: list[str] = []
    for part in pattern.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _compiled(pattern: str, number: int) -> re.Pattern[str]:
    try:
        return re.compile(_expression(pattern), re.DOTALL)
    except re.error as error:
        raise BuildFailedError(
            f".dockerignore line {number}: {pattern[:80]!r} is no pattern: {error}."
        ) from error


def _expression(pattern: str) -> str:
    tokens = re.findall(r"\*\*/?|\*|\?|\\.|\[[^\]]*\]|.", pattern, re.DOTALL)
    return "".join(map(_translated, tokens))


def _translated(token: str) -> str:
    match token:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if token.startswith("[") and len(token) > 1:
            return token
        case _:
            return re.escape(token[-1])
