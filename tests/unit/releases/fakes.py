"""The neighbours of releases as small doubles of their ports: what tests want them to do is set beforehand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

from builds.git import Quarantine
from paas.clock import Clock
from paas.domain.app import App
from paas.domain.build import Artifact, Build, BuildState, Slug
from paas.domain.ids import AppId, Commit, ReleaseId, new_id
from paas.domain.instance import ExitStatus, Instance, ProcessIdentity
from paas.domain.names import ProcessType
from paas.domain.process import Manifest, Procfile
from paas.domain.release import Release
from paas.engines.base import Attachment, TerminalSize
from paas.errors import BuildFailedError, NotFoundError, NotHealthyError
from paas.store.database import Store
from paas.testing.attachment import FakeAttachment
from paas.testing.behaviour import Behaviour
from releases.ports import Say, Seen, UnstableListener

SHOP = Manifest(Procfile({ProcessType("web"): "serve", ProcessType("worker"): "work"}))


def commit(name: str) -> Commit:
    """Return a commit that begins with the digits of `name`."""
    return Commit(name.ljust(40, "0"))


def manifest(**commands: str) -> Manifest:
    """Return the manifest of a Procfile with these commands."""
    return Manifest(Procfile({ProcessType(name): command for name, command in commands.items()}))


@dataclass
class FakeBuilds:
    """Builds without building: each commit has a manifest, `SHOP` unless set; `broken` ones fail."""

    store: Store
    builder: str = "fake/1"
    manifests: dict[Commit, Manifest] = field(default_factory=dict)
    broken: set[Commit] = field(default_factory=set)
    gate: asyncio.Event | None = None
    """What a build waits for before it ends, if set."""
    gone: set[Artifact] = field(default_factory=set)
    removed: list[Artifact] = field(default_factory=list)
    broken_artifacts: set[Artifact] = field(default_factory=set)
    """What cannot be removed, by an error that nobody foresaw."""
    used: set[Artifact] = field(default_factory=set)
    """What stays although it was to be removed."""
    unrecorded: dict[Artifact, datetime] = field(default_factory=dict)
    """What was built without being recorded, and when."""
    excess: int = 0
    """Bytes of the builds' cache that are over its limit."""

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
    ) -> Build:
        earlier = self.store.builds.reusable(app.id, commit=commit, builder=self.builder)
        if earlier and earlier.artifact not in self.gone and not no_cache:
            return earlier
        build = self.store.builds.begin(app.id, commit=commit, ref=ref, builder=self.builder, actor=actor)
        output("fetching what it needs")
        if self.gate:
            await self.gate.wait()
        if commit in self.broken:
            self.store.builds.fail(build.id, state=BuildState.FAILED, reason="it does not compile")
            raise BuildFailedError("it does not compile")
        return self.store.builds.succeed(
            build.id, artifact=Slug(new_id()), manifest=self.manifests.get(commit, SHOP)
        )

    async def remove(self, artifact: Artifact) -> bool:
        if artifact in self.broken_artifacts:
            raise PermissionError(f"{artifact} is another user's")
        if artifact in self.used:
            return False
        self.removed.append(artifact)
        return True

    async def trim(self, *, dry_run: bool) -> int:
        excess = self.excess
        if not dry_run:
            self.excess = 0
        return excess

    async def strays(self, *, before: datetime) -> list[Artifact]:
        return [artifact for artifact, made in self.unrecorded.items() if made < before]

    async def has(self, artifact: Artifact) -> bool:
        return artifact not in self.gone


@dataclass
class FakeRepositories:
    """Repositories that hold every commit, and these branches."""

    made: list[AppId] = field(default_factory=list)
    branches: dict[str, Commit] = field(default_factory=dict)

    async def ensure(self, app: AppId) -> None:
        self.made.append(app)

    async def remove(self, app: AppId) -> None:
        self.made.remove(app)

    async def resolve(self, app: AppId, commit_ish: str, *, quarantine: Quarantine | None = None) -> Commit:
        if not commit_ish.startswith("refs/"):
            return Commit(commit_ish)
        if commit_ish not in self.branches:
            raise NotFoundError
        return self.branches[commit_ish]

    async def log(self, app: AppId, *, since: Commit, until: Commit) -> list[str]:
        return [f"{until[:7]} a change"]


class FakeLogs:
    """Lines that are forgotten on demand."""

    def __init__(self) -> None:
        self.forgotten: list[AppId] = []

    async def forget(self, app: AppId) -> None:
        self.forgotten.append(app)


class FakeOneOff:
    """A one-off that acts a behaviour out."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.left = False
        self.attachment: Attachment = FakeAttachment(
            ProcessIdentity("boot", 1, 1),
            behaviour=behaviour,
            ended=self._ended,
            terminal=None,
            leave=self._leave,
        )
        if behaviour.exits is not None:
            asyncio.get_running_loop().call_soon(self._ended.set_result, ExitStatus(behaviour.exits))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        self.left = True


@dataclass
class FakeSupervisor:
    """A supervisor that has nothing to supervise: releases are healthy at once, unless set otherwise."""

    clock: Clock
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    sick: set[int] = field(default_factory=set)
    """Versions that do not become healthy."""
    gate: asyncio.Event | None = None
    """What becoming healthy waits for, if set."""
    unroutable: Exception | None = None
    nudges: int = 0
    asked: list[str] = field(default_factory=list)
    one_offs: list[FakeOneOff] = field(default_factory=list)
    running: dict[str, Instance] = field(default_factory=dict)
    """The one-offs that can be stopped, by name."""
    listener: UnstableListener | None = None

    def nudge(self) -> None:
        self.nudges += 1

    def on_unstable(self, callback: UnstableListener) -> None:
        self.listener = callback

    def crash_again_and_again(self, app: AppId, release: ReleaseId) -> None:
        assert self.listener
        self.listener(app, release, "web.1 crashed 3 times in the first 60 s")

    async def healthy(self, release: Release, *, say: Say) -> None:
        self.asked.append(f"healthy v{release.version}")
        if self.gate:
            await self.gate.wait()
        if release.version in self.sick:
            say("web.1 printed this before it ended")
            raise NotHealthyError("web.1 exited (exit 1) before it was healthy")

    async def routed(self, app: AppId) -> None:
        self.asked.append("routed")
        if self.unroutable:
            raise self.unroutable

    async def stop_run(self, app: AppId, name: str, *, actor: str) -> Instance | None:
        self.asked.append(f"stop {name}")
        return self.running.get(name)

    async def settled(self, app: AppId, *, within: float) -> None:
        self.asked.append("settled")

    async def emptied(self, app: AppId) -> None:
        self.asked.append("emptied")

    def instances(self, app: AppId) -> Sequence[Seen]:
        return ()

    async def attach(
        self,
        app: App,
        release: Release,
        *,
        command: str,
        type: ProcessType,  # noqa: A002 - as the port has it
        environment: Mapping[str, str],
        terminal: TerminalSize | None,
    ) -> FakeOneOff:
        self.asked.append(f"attach {type} v{release.version}: {command}")
        one_off = FakeOneOff(self.behaviours.get(command, Behaviour(exits=0)))
        self.one_offs.append(one_off)
        return one_off
