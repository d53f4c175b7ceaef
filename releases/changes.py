"""What a releasing command asks for: each change drafts a release from the one that serves. None of them applies it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from builds.git import Quarantine
from paas.clock import Clock
from paas.domain.app import App
from paas.domain.build import Build
from paas.domain.config import Variables
from paas.domain.ids import Commit, ConfigId, ReleaseId
from paas.domain.release import DeploymentKind, Release, ReleaseKind
from paas.store.database import Store
from paas.threads import in_thread
from releases import rollback
from releases.config import ConfigChanges, NewConfig
from releases.outputs import Output
from releases.ports import Artifacts, BuildPart
from releases.records import recorded

_MESSAGE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """A release that has no number yet. `config` is None for that of the release that serves; `origin` is the version
    that it goes back to, None for its own."""

    kind: ReleaseKind
    description: str
    build: Build | None
    config: ConfigId | None
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """There is nothing to release, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What changes are drafted with."""

    store: Store
    builds: BuildPart
    artifacts: Artifacts
    clock: Clock


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a draft says what it does; `building` is awaited before a build begins."""

    output: Output
    building: Callable[[], Awaitable[None]]


class Change(Protocol):
    """One kind of change. What it starts from is the release that serves when it holds the lease."""

    @property
    def kind(self) -> DeploymentKind: ...

    @property
    def title(self) -> str:
        """What holds the lease: `the push of 3f2c1ab`."""
        ...

    @property
    def builds(self) -> bool:
        """Whether it begins with a build."""
        ...

    async def check(self, app: App, parts: Parts) -> Unchanged | None:
        """Return why there would be nothing to release, None where there is; raises what stands against it."""
        ...

    async def draft(self, app: App, parts: Parts, progress: Progress, /) -> Draft | Unchanged:
        """Return the release to make of what was checked, which may need a build. Raises as `check` does, and
        BuildFailedError."""
        ...


@dataclass(frozen=True, slots=True)
class Push:
    """Build a commit and release it with the config that serves."""

    commit: Commit
    ref: str
    message: str
    no_cache: bool
    actor: str
    quarantine: Quarantine | None
    kind: DeploymentKind = DeploymentKind.PUSH
    builds: bool = True

    @property
    def title(self) -> str:
        return f"the push of {self.commit[:7]}"

    async def check(self, app: App, parts: Parts) -> Unchanged | None:
        if self.no_cache:
            return None
        runs_already = await in_thread(self._running, app, parts)
        if runs_already is None:
            return None
        current, build = runs_already
        if await rollback.loss(parts.artifacts, build, current):  # what runs cannot be started once more
            return None
        return Unchanged(
            f"{self.commit[:7]} already runs as {current.name}: nothing to build, no new release"
        )

    async def draft(self, app: App, parts: Parts, progress: Progress, /) -> Draft | Unchanged:
        await progress.building()
        build = await self._build(app, parts, progress.output)
        return Draft(ReleaseKind.DEPLOY, self._description(), build, config=None)

    async def _build(self, app: App, parts: Parts, output: Output) -> Build:
        output.step(f"Building {self.commit[:7]} ({self.ref})")
        began_at, began = parts.clock.now(), parts.clock.monotonic()
        build = await parts.builds.build(
            app,
            commit=self.commit,
            ref=self.ref,
            actor=self.actor,
            no_cache=self.no_cache,
            output=output.line,
            quarantine=self.quarantine,
        )
        if build.created_at < began_at:
            output.step(f"Built before, on {build.created_at:%Y-%m-%d at %H:%M:%S} UTC: nothing to build")
        else:
            output.step(f"Built in {parts.clock.monotonic() - began:.1f} s")
        return build

    def _running(self, app: App, parts: Parts) -> tuple[Release, Build] | None:
        """Return the release that serves and its build, if that is of this commit, built as it would be now."""
        current = serving(parts.store, app)
        if current is None or current.build is None or current.commit != self.commit:
            return None
        build = parts.store.builds.get_by_id(current.build)
        return (current, build) if build.builder == parts.builds.builder else None

    def _description(self) -> str:
        message = " ".join(self.message.split())[:_MESSAGE_LIMIT]
        return f"Deploy {self.commit[:7]}" + (f": {message}" if message else "")


@dataclass(frozen=True, slots=True)
class Configure:
    """Release the build that serves with other variables; before the first build, with none."""

    changes: ConfigChanges
    kind: DeploymentKind = DeploymentKind.CONFIG
    builds: bool = False

    @property
    def title(self) -> str:
        return f"the config change of {', '.join(sorted(self.changes.wanted)) or 'nothing'}"

    async def check(self, app: App, parts: Parts) -> Unchanged | None:
        planned = await self._plan(app, parts)
        return planned if isinstance(planned, Unchanged) else None

    async def draft(self, app: App, parts: Parts, progress: Progress, /) -> Draft | Unchanged:
        planned = await self._plan(app, parts)
        if isinstance(planned, Unchanged):
            return planned
        for name in self.changes.without_effect:
            progress.output.warning(f"{name} is kept, but mini itself sets {name} wherever it is of use")
        build, new = planned
        config = await recorded(parts.store.configs.save, app.id, new.variables)
        return Draft(ReleaseKind.CONFIG, new.description, build, config)

    async def _plan(self, app: App, parts: Parts) -> tuple[Build | None, NewConfig] | Unchanged:
        base = await in_thread(serving, parts.store, app)
        new = self.changes.applied_to(await in_thread(_variables, parts.store, base))
        if new is None:
            return Unchanged(f"no change, still {base.name}" if base else "no change")
        if base is None or base.build is None:
            return None, new
        build = await in_thread(parts.store.builds.get_by_id, base.build)
        await rollback.verify(parts.artifacts, build, base)
        return build, new


@dataclass(frozen=True, slots=True)
class GoBack:
    """Release an earlier release's build and config again. With `unstable`, only while that release serves."""

    to: str | None
    unstable: ReleaseId | None = None
    cause: str = ""
    """Why the platform goes back by itself."""
    builds: bool = False

    @property
    def kind(self) -> DeploymentKind:
        return DeploymentKind.REVERT if self.unstable else DeploymentKind.ROLLBACK

    @property
    def title(self) -> str:
        return f"the rollback to {self.to}" if self.to else "the rollback"

    async def check(self, app: App, parts: Parts) -> Unchanged | None:
        if self.unstable and app.current != self.unstable:
            return Unchanged("the unstable release serves no more")
        await rollback.target(app, self.to, store=parts.store, artifacts=parts.artifacts)
        return None

    async def draft(self, app: App, parts: Parts, progress: Progress, /) -> Draft | Unchanged:
        release, build = await rollback.target(app, self.to, store=parts.store, artifacts=parts.artifacts)
        progress.output.step(f"Rolling back to {release.name}")
        return Draft(
            ReleaseKind.ROLLBACK, f"Rollback to {release.name}", build, release.config, origin=release.origin
        )


def serving(store: Store, app: App) -> Release | None:
    """Return the release of the app that serves. Blocks on the store."""
    return store.releases.get_by_id(app.current) if app.current else None


def _variables(store: Store, release: Release | None) -> Variables:
    return store.configs.get(release.config).variables if release else {}
