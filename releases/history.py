"""What differs between two releases. Config values stay secrets: who shows them decides whether to reveal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from paas.domain.app import App
from paas.domain.config import Secret
from paas.domain.names import ProcessType
from paas.domain.release import Release
from paas.errors import NotFoundError
from paas.store.database import Store
from releases.reference import resolve

K = TypeVar("K", bound=str)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Differing(Generic[V]):
    """One name whose value differs; None where it is not there."""

    key: str
    before: V | None
    after: V | None

    @property
    def change(self) -> Literal["added", "removed", "changed"]:
        """`added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs from release `a` to release `b`. `commits` are those between them, newest first, one line each."""

    a: Release
    b: Release
    config: tuple[Differing[Secret], ...]
    process_types: tuple[Differing[str], ...]
    commits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RollbackPreview:
    """What a rollback would do."""

    target: Release
    current: Release
    config: tuple[Differing[Secret], ...]


def pair(store: Store, app: App, a: str | None, b: str | None) -> tuple[Release, Release]:
    """Return the releases to compare: without `b` the one that serves, without `a` the one before. Blocks."""
    if a is None and b is None:
        return resolve(store, app, "@~1"), resolve(store, app, "@")
    later = resolve(store, app, b or "@")
    if a is not None:
        return resolve(store, app, a), later
    if later.version == 1:
        raise NotFoundError(
            f"v1 is the first release of {app.name}: there is none before it to compare with."
        )
    return store.releases.get(app.id, later.version - 1), later


def compare(store: Store, a: Release, b: Release) -> Difference:
    """Return what differs, but for the commits. Blocks on the store."""
    return Difference(a, b, config_differences(store, a, b), differing(_commands(a), _commands(b)))


def config_differences(store: Store, a: Release, b: Release) -> tuple[Differing[Secret], ...]:
    """Return the variables that differ, by name. Blocks on the store."""
    return differing(store.configs.get(a.config).variables, store.configs.get(b.config).variables)


def differing(before: Mapping[K, V], after: Mapping[K, V]) -> tuple[Differing[V], ...]:
    """Return the names whose values differ, sorted."""
    return tuple(
        Differing(key, before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    )


def _commands(release: Release) -> Mapping[ProcessType, str]:
    return release.manifest.procfile.commands if release.manifest else {}
