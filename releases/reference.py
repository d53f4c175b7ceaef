"""How a user names a release: `v41`, `41`, `@` (the one that serves), `@~1` (the one that served before it)."""

import re
from dataclasses import dataclass

from paas.domain.app import App
from paas.domain.release import Release
from paas.errors import InvalidError, NotFoundError
from paas.store.database import Store

_VERSION = re.compile(r"v?([0-9]{1,15})", re.ASCII)
_SERVED = re.compile(r"@(?:~([0-9]{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """The release of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class Served:
    """The release that served `back` releases ago; 0 is the one that serves."""

    back: int


ReleaseReference = Version | Served


def parse(text: str) -> ReleaseReference:
    """Return the reference that `text` writes; raises InvalidError naming the forms there are."""
    if version := _VERSION.fullmatch(text):
        return Version(int(version[1]))
    if served := _SERVED.fullmatch(text):
        return Served(int(served[1] or 0))
    raise InvalidError(
        f"{text!r} is no release: write v41 or 41, @ for the current one, @~1 for the one before."
    )


def resolve(store: Store, app: App, text: str) -> Release:
    """Return the release that `text` means; raises as `parse`, and NotFoundError naming the releases there are.
    Blocks on the store."""
    match parse(text):
        case Version(number):
            return _numbered(store, app, number)
        case Served(back):
            return _served(store, app, back)


def _numbered(store: Store, app: App, number: int) -> Release:
    latest = store.releases.latest(app.id)
    if latest is None:
        raise NotFoundError(f"{app.name} has no release yet. Make one with `mini push`.")
    if not 1 <= number <= latest.version:
        there = "only v1" if latest.version == 1 else f"v1 to v{latest.version}"
        raise NotFoundError(f"{app.name} has no release v{number}: there is {there}.")
    return store.releases.get(app.id, number)


def _served(store: Store, app: App, back: int) -> Release:
    served = store.releases.served(app.id)
    if not served:
        raise NotFoundError(f"No release of {app.name} serves yet. Make one with `mini push`.")
    if back >= len(served):
        there = "@" if len(served) == 1 else f"@ to @~{len(served) - 1}"
        raise NotFoundError(f"{app.name} has no release @~{back}: there is {there}.")
    return served[back]
