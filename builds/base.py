"""The contract of a builder, and what a language adds to a slug. No decision about releases is made here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from builds.limit import Limit
from builds.shell import Shell
from builds.source import Source
from paas.domain.build import Artifact, Build
from paas.domain.names import AppName
from paas.domain.process import Manifest

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build that succeeded yields."""

    artifact: Artifact
    manifest: Manifest


class Builder(Protocol):
    """Turns a commit into an artifact. Cancelling `build` ends everything that it started and leaves nothing behind."""

    @property
    def name(self) -> str:
        """Which builder this is, with its version: another name means that nothing built before can be reused."""
        ...

    async def build(
        self, source: Source, build: Build, *, app: AppName, salt: str, limit: Limit, say: Say
    ) -> Built:
        """Build the source, as the attempt that `build` records, of the app that is called `app` now; `salt` is empty, or
        random to share nothing with any earlier build. What it waits for that other builds have, it waits for in a turn
        of `limit`.

        Raises BuildFailedError with a sentence that says why, DiskFullError.
        """
        ...

    async def has(self, artifact: Artifact) -> bool:
        """Return whether the artifact is there, whole and usable."""
        ...

    async def remove(self, artifact: Artifact) -> bool:
        """Remove an artifact, and what only it needed; return whether it was there and is removed."""
        ...

    async def present(self) -> list[tuple[Artifact, datetime]]:
        """Return every artifact of this home that is there, with when it was made."""
        ...

    async def trim(self, *, dry_run: bool) -> int:
        """Bring what builds leave for later ones back within its limit; return how many bytes that frees, or would."""
        ...


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a language adds to a slug: see `paas.domain.build.Slug`, whose fields these become."""

    path: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Language(Protocol):
    """One language of a commit, with its tools found. Its installed dependencies live in an environment of their own,
    which every slug with the same key shares and nobody writes to."""

    @property
    def name(self) -> str:
        """The name of the environment within the slug, such as `python`."""
        ...

    @property
    def key(self) -> str:
        """All that the environment depends on but the builder."""
        ...

    @property
    def local(self) -> bool:
        """Whether the environment depends on the commit's other files too: then it is this slug's alone."""
        ...

    async def install(self, environment: Path, tree: Path, *, shell: Shell) -> None:
        """Make the environment at its final path, which is an empty folder. Raises BuildFailedError."""
        ...

    async def finish(self, slug: Path, *, shell: Shell) -> Footprint:
        """Do what is done anew for every commit, and return what the language adds to the slug."""
        ...

    def usable(self, environment: Path) -> bool:
        """Return whether an environment that was completed once still is: its interpreter may have gone."""
        ...
