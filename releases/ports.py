"""What releases need of the supervisor, the builds and the engine, and no more: the real ones satisfy it, and so do
the fakes of the tests."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from builds.git import Quarantine
from paas.domain.app import App
from paas.domain.build import Artifact, Build
from paas.domain.ids import AppId, Commit, ReleaseId
from paas.domain.instance import Instance
from paas.domain.names import ProcessType
from paas.domain.release import Release
from paas.engines.base import Attachment, TerminalSize

Say = Callable[[str], None]
UnstableListener = Callable[[AppId, ReleaseId, str], None]
"""Called once for a release one of whose instances crashes again and again in its first minute, with what happened."""


class Artifacts(Protocol):
    """Tells whether an artifact can still be run: the engine."""

    async def has(self, artifact: Artifact) -> bool: ...


class BuildPart(Protocol):
    """Makes artifacts, and removes them."""

    @property
    def builder(self) -> str:
        """The name of the way that builds are made now: `Build.builder` of a new build."""
        ...

    async def build(
        self,
        app: App,
        *,
        commit: Commit,
        ref: str,
        actor: str,
        no_cache: bool,
        output: Say,
        quarantine: Quarantine | None = None,
    ) -> Build: ...

    async def remove(self, artifact: Artifact) -> bool: ...

    async def strays(self, *, before: datetime) -> list[Artifact]: ...

    async def trim(self, *, dry_run: bool) -> int: ...


class Seen(Protocol):
    """One instance as the supervisor sees it."""

    @property
    def instance(self) -> Instance: ...

    @property
    def state(self) -> str: ...


class OneOff(Protocol):
    """A running one-off; leaving it ends it."""

    @property
    def attachment(self) -> Attachment: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class SupervisorPart(Protocol):
    """Keeps what should run running, and tells how far it is."""

    def nudge(self) -> None: ...

    def on_unstable(self, callback: UnstableListener) -> None: ...

    async def healthy(self, release: Release, *, say: Say) -> None: ...

    async def routed(self, app: AppId) -> None: ...

    async def stop_run(self, app: AppId, name: str, *, actor: str) -> Instance | None: ...

    async def settled(self, app: AppId, *, within: float) -> None: ...

    async def emptied(self, app: AppId) -> None: ...

    def instances(self, app: AppId) -> Sequence[Seen]: ...

    def attach(
        self,
        app: App,
        release: Release,
        *,
        command: str,
        type: ProcessType,  # noqa: A002 - the glossary's word
        environment: Mapping[str, str],
        terminal: TerminalSize | None,
    ) -> Awaitable[OneOff]: ...


class Repositories(Protocol):
    """The git repositories of the apps."""

    async def ensure(self, app: AppId) -> None: ...

    async def remove(self, app: AppId) -> None: ...

    async def resolve(
        self, app: AppId, commit_ish: str, *, quarantine: Quarantine | None = None
    ) -> Commit: ...

    async def log(self, app: AppId, *, since: Commit, until: Commit) -> list[str]: ...


class Logs(Protocol):
    """The lines that are kept of the apps."""

    async def forget(self, app: AppId) -> None: ...
