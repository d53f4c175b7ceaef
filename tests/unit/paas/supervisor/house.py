"""A whole supervisor over a real store, an engine that is acted out, and a clock that tests move."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from paas.domain.build import Slug
from paas.domain.config import checked
from paas.domain.ids import Commit, InstanceId, ReleaseId
from paas.domain.instance import InstanceSpec, InstanceState
from paas.domain.names import AppName, ProcessType
from paas.domain.process import Check, Manifest, Procfile
from paas.domain.release import DeploymentKind, DeploymentState, Release, ReleaseKind
from paas.settings import Settings
from paas.store.database import Store
from paas.supervisor.loop import Supervisor
from paas.testing.clock import FakeClock
from paas.testing.engine import FakeEngine
from paas.testing.ports import FakeLines, FakeRouting
from tests.stores import open_store

T = TypeVar("T")

BOOT = "fake-boot"
STARTING = InstanceState.STARTING


class House:
    """One home with one app, `shop`, and its supervisor."""

    def __init__(self, folder: Path, *, store: Store, clock: FakeClock) -> None:
        self.settings = Settings(home=folder / "home")
        self.store, self.clock = store, clock
        self.engine = FakeEngine(clock)
        self.routing = FakeRouting()
        (folder / "fifos").mkdir()
        self.lines = FakeLines(folder / "fifos")
        self.unstable: list[tuple[ReleaseId, str]] = []
        self.said: list[str] = []
        self.supervisor = self._a_supervisor()
        clock.hold = self._is_at_work
        self.app = store.apps.create(AppName("shop"))

    def _a_supervisor(self, *, boot_id: str = BOOT) -> Supervisor:
        supervisor = Supervisor(
            store=self.store,
            engine=self.engine,
            routing=self.routing,
            lines=self.lines,
            clock=self.clock,
            settings=self.settings,
            boot_id=boot_id,
            jitter=lambda: 0.0,
        )
        supervisor.on_unstable(lambda _, release, cause: self.unstable.append((release, cause)))
        return supervisor

    def _is_at_work(self) -> bool:
        """Return whether the supervisor does something that takes no time of its own clock."""
        seen = self.supervisor._seen
        launching = (each.id in seen.busy for each in seen.instances.values() if each.state is STARTING)
        return self.supervisor._passes.under_way or any(launching)

    # -- what a user does ---------------------------------------------------------------------------------------
    def release(
        self, commands: Mapping[str, str], *, checks: tuple[Check, ...] = (), auto_rollback: bool = True
    ) -> Release:
        """Make a release whose deployment is about to start its instances."""
        procfile = Procfile({ProcessType(name): command for name, command in commands.items()})
        manifest = Manifest(procfile, checks={ProcessType("web"): checks}, auto_rollback=auto_rollback)
        build = self.store.builds.begin(
            self.app.id, commit=Commit("c" * 40), ref="main", builder="slug", actor="me"
        )
        build = self.store.builds.succeed(build.id, artifact=Slug("slug"), manifest=manifest)
        deployment = self.store.deployments.begin(self.app.id, kind=DeploymentKind.PUSH, actor="me")
        release = self.store.releases.create(
            self.app.id,
            kind=ReleaseKind.DEPLOY,
            description="Deploy",
            build=build,
            config=self.store.configs.save(self.app.id, checked({"DEBUG": "0"})),
            origin=None,
            actor="me",
            deployment=deployment.id,
        )
        self.store.deployments.advance(deployment.id, DeploymentState.STARTING)
        self.supervisor.nudge()
        return release

    def switch(self, release: Release) -> None:
        """Make `release` the one that serves."""
        self.store.deployments.succeed(self.store.deployments.for_release(release.id).id)
        self.supervisor.nudge()

    def fail(self, release: Release) -> None:
        """End the deployment of `release` without success."""
        deployment = self.store.deployments.for_release(release.id)
        self.store.deployments.fail(
            deployment.id, state=DeploymentState.FAILED, code="not_healthy", reason="it did not listen"
        )
        self.supervisor.nudge()

    def scale(self, **counts: int) -> None:
        self.store.formations.set(self.app.id, {ProcessType(name): n for name, n in counts.items()})
        self.supervisor.nudge()

    async def deploy(self, commands: Mapping[str, str], *, checks: tuple[Check, ...] = ()) -> Release:
        """Deploy and wait until the release serves and the old one is gone."""
        release = self.release(commands, checks=checks)
        await self.healthy(release)
        self.switch(release)
        await self.while_time_passes(self.supervisor.routed(self.app.id))
        await self.clock.until(lambda: self.is_quiet(release))
        return release

    async def healthy(self, release: Release) -> None:
        """Wait for `healthy` while the clock runs; raises what it raises."""
        await self.while_time_passes(self.supervisor.healthy(release, say=self.said.append))

    async def while_time_passes(self, waited_for: Coroutine[None, None, T]) -> T:
        """Return what `waited_for` returns, letting time pass until it does; raises what it raises."""
        task = asyncio.ensure_future(waited_for)
        await self.clock.until(task.done)
        return task.result()

    # -- what happens to the machine ------------------------------------------------------------------------------
    async def restart_control_plane(self, *, reboot: bool = False) -> None:
        """Let the control plane die and come back, on the same machine or after its reboot."""
        await self.supervisor.stop(keep_apps=True)
        self.engine = FakeEngine(self.clock) if reboot else self.engine.restarted()
        self.supervisor = self._a_supervisor(boot_id="second-boot" if reboot else BOOT)
        await self.while_time_passes(self.supervisor.start())

    # -- what there is to see -------------------------------------------------------------------------------------
    def running(self, release: Release | None = None) -> dict[str, InstanceId]:
        """Return the ids of what the engine runs, by name, of one release or of all."""
        wanted = [
            each for each in self.engine.running() if release is None or each.version == release.version
        ]
        return {each.name: each.id for each in wanted}

    def specs(self, name: str) -> list[InstanceSpec]:
        """Return every start of an instance, oldest first."""
        return [spec for spec in self.engine.started if spec.name == name]

    def shown(self) -> dict[str, str]:
        """Return what `mini ps` shows: state by name."""
        return {view.instance.name: view.state.value for view in self.supervisor.instances(self.app.id)}

    def is_quiet(self, release: Release) -> bool:
        """Return whether nothing but `release` runs, and all of it is up."""
        shown = self.supervisor.instances(self.app.id)
        return all(view.instance.release == release.id and view.state.value == "up" for view in shown)


@asynccontextmanager
async def a_house(folder: Path) -> AsyncIterator[House]:
    """Open a house whose supervisor runs, and close it."""
    clock = FakeClock()
    store = open_store(folder, clock=clock)
    house = House(folder, store=store, clock=clock)
    try:
        await house.while_time_passes(house.supervisor.start())
        yield house
    finally:
        await house.supervisor.stop(keep_apps=True)
        house.lines.close()
        store.close()
