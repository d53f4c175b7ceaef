"""Scale tokens (`web=3`), places in a formation (`web.2`), and the first counts. Pure: it applies nothing."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from paas.domain.formation import Formation
from paas.domain.names import RELEASE, WEB, ProcessType
from paas.domain.process import Manifest
from paas.errors import InvalidError, NotFoundError

_INSTANCE = re.compile(r".+\.[1-9][0-9]{0,8}", re.ASCII)
_TOKEN = re.compile(r"(.+)([=+-])([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Change:
    """One token: the count is set, raised or lowered."""

    type: ProcessType
    operator: str
    number: int

    def applied_to(self, count: int) -> int:
        """Return the new count; below zero where more is taken than there is."""
        match self.operator:
            case "+":
                return count + self.number
            case "-":
                return count - self.number
            case _:
                return self.number


def scaled(
    tokens: Sequence[str], formation: Formation, *, types: Collection[ProcessType], limit: int
) -> dict[ProcessType, int]:
    """Return the new count of each type that `tokens` name; raises InvalidError for the first bad one."""
    counts: dict[ProcessType, int] = {}
    for token in tokens:
        change = parse(token, types=types)
        if change.type in counts:
            raise InvalidError(f"{change.type} is named twice; nothing was changed. Name each type once.")
        counts[change.type] = _count(change, formation.get(change.type, 0), limit=limit)
    return counts


def parse(token: str, *, types: Collection[ProcessType]) -> Change:
    """Return what one token asks for. Its operator is the last `=N`, `+N` or `-N`."""
    if token in types:
        raise InvalidError(
            f"{token!r} is a process type without a count; nothing was changed. Write {token}=2."
        )
    match = _TOKEN.fullmatch(token)
    if match is None or match[1].endswith(("=", "+")):
        raise InvalidError(f"{token!r} is no scale; nothing was changed. Write web=2, web+1 or web-1.")
    name = ProcessType(match[1])
    if name == RELEASE:
        raise InvalidError("release cannot be scaled: it runs once for each release; nothing was changed.")
    if name not in types:
        there = f"there is {', '.join(types)}" if types else "there is none before the first push"
        raise InvalidError(f"{name!r} is no process type of this app: {there}; nothing was changed.")
    return Change(name, match[2], int(match[3]))


def slots(
    formation: Formation, *, types: Collection[ProcessType], target: str | None
) -> list[tuple[ProcessType, int]]:
    """Return the places that `target` names: all of them without one, those of a type, or one such as web.2.

    Raises NotFoundError that names what there is.
    """
    places = [(name, index) for name in types for index in range(1, formation.get(name, 0) + 1)]
    named = [place for place in places if target in (None, place[0], f"{place[0]}.{place[1]}")]
    if target is not None and not named:
        there = ", ".join(f"{name}.{index}" for name, index in places) or "none: scale a type up first"
        raise NotFoundError(f"There is no instance {target}; there is {there}.")
    return named


def instance_name(text: str) -> str:
    """Return `text` as the name of one instance; raises InvalidError for a whole type."""
    if not _INSTANCE.fullmatch(text):
        raise InvalidError(f"{text!r} is no instance: write TYPE.N, such as web.1.")
    return text


def initial_counts(manifest: Manifest, *, seen: Collection[ProcessType]) -> Mapping[ProcessType, int]:
    """Return the counts of the types that no release which served had: what app.json says, else web=1 at the
    first deployment and 0 for all others."""
    return {
        name: manifest.formation.get(name, 1 if name == WEB and not seen else 0)
        for name in manifest.procfile.long_running
        if name not in seen
    }


def _count(change: Change, before: int, *, limit: int) -> int:
    count = change.applied_to(before)
    if count < 0:
        raise InvalidError(f"{change.type} would run at {count}: there are {before}; nothing was changed.")
    if count > limit:
        raise InvalidError(
            f"{change.type} would run at {count}; the limit is {limit} of a type; nothing was changed."
        )
    return count
