"""Version ranges as npm writes them in `engines`: enough of node-semver to tell whether one version is within one."""

import re
from collections.abc import Iterator

from paas.errors import BuildFailedError

Version = tuple[int, int, int]

_PARTIAL = r"[v=\s]*(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:[-+][0-9A-Za-z.+-]*)?"
_COMPARATOR = re.compile(rf"(\^|~>?|>=|<=|>|<|=)?\s*{_PARTIAL}")
_HYPHEN = re.compile(rf"\s*{_PARTIAL}\s+-\s+{_PARTIAL}\s*")
_TOP = 10**9


def version_of(text: str) -> Version:
    """Return a full version such as `v20.11.1`; raises ValueError."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no version")
    return int(match[1]), int(match[2]), int(match[3])


def satisfies(version: Version, wanted: str) -> bool:
    """Return whether `version` is within the range; raises BuildFailedError for one that cannot be read."""
    return any(all(low <= version < high for low, high in _bounds(part)) for part in wanted.split("||"))


def _bounds(part: str) -> Iterator[tuple[Version, Version]]:
    """Yield half-open intervals that must all hold."""
    if hyphen := _HYPHEN.fullmatch(part):
        yield _span(*hyphen.groups()[:3])[0], _span(*hyphen.groups()[3:])[1]
        return
    at, text = 0, part.strip()
    while at < len(text):
        match = _COMPARATOR.match(text, at)
        if match is None or match.end() == at:
            raise BuildFailedError(
                f"package.json: engines.node is no range of versions: {part.strip()[:80]!r}."
            )
        yield _interval(match[1] or "=", match[2], match[3], match[4])
        at = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip())


def _interval(operator: str, *parts: str | None) -> tuple[Version, Version]:
    low, high = _span(*parts)
    if operator == "^":
        return low, _caret(low, parts)
    if operator.startswith("~"):
        return low, (_span(parts[0], parts[1])[1])
    return {
        "=": (low, high),
        ">=": (low, (_TOP, 0, 0)),
        ">": (high, (_TOP, 0, 0)),
        "<=": ((0, 0, 0), high),
        "<": ((0, 0, 0), low),
    }[operator]


def _span(*parts: str | None) -> tuple[Version, Version]:
    """Return the first version that a partial one such as `20.1` means, and the first beyond it."""
    numbers = [int(part) for part in parts if part is not None and part.isdigit()]
    low = (*numbers, 0, 0, 0)[:3]
    if not numbers:
        return (0, 0, 0), (_TOP, 0, 0)
    beyond = (*numbers[:-1], numbers[-1] + 1, 0, 0)[:3]
    return (low[0], low[1], low[2]), (beyond[0], beyond[1], beyond[2])


def _caret(low: Version, parts: tuple[str | None, ...]) -> Version:
    """Return the first version that changes the leftmost number which is not zero."""
    given = [part for part in parts if part is not None and part.isdigit()]
    major, minor, patch = low
    if major or len(given) <= 1:
        return (major + 1, 0, 0) if given else (_TOP, 0, 0)
    return (0, minor + 1, 0) if minor or len(given) == 2 else (0, 0, patch + 1)
