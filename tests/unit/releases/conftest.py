"""A stage for stories: a real store, a deployer, and doubles of its neighbours."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from paas.clock import Clock, SystemClock
from paas.domain.app import App
from paas.domain.names import AppName
from paas.domain.release import Deployment, Release
from paas.settings import Settings
from paas.store.database import Store
from releases.deploy import Deployer
from releases.outputs import Outputs
from releases.service import ReleaseService
from releases.traffic import Traffic
from tests.stores import open_store
from tests.unit.releases.fakes import FakeBuilds, FakeLogs, FakeRepositories, FakeSupervisor, commit


@dataclass
class Stage:
    """One app, and everything that deploys it."""

    app: App
    settings: Settings
    store: Store
    supervisor: FakeSupervisor
    builds: FakeBuilds
    repositories: FakeRepositories
    logs: FakeLogs
    outputs: Outputs
    deployer: Deployer
    service: ReleaseService
    traffic: Traffic

    async def begin_push(
        self, name: str, *, message: str = "", no_cache: bool = False, wait: float = 60
    ) -> Deployment:
        return await self.deployer.push(
            self.app,
            commit=commit(name),
            ref="main",
            message=message,
            no_cache=no_cache,
            wait_lock=wait,
            actor="me",
        )

    async def push(self, name: str, *, message: str = "", no_cache: bool = False) -> Deployment:
        return await self.deployer.wait(await self.begin_push(name, message=message, no_cache=no_cache))

    async def configure(self, **changes: str | None) -> Deployment:
        started = await self.deployer.set_config(self.app, changes=changes, wait_lock=60, actor="me")
        return await self.deployer.wait(started)

    async def roll_back(self, to: str | None = None) -> Deployment:
        started = await self.deployer.rollback(self.app, to=to, wait_lock=60, actor="me")
        return await self.deployer.wait(started)

    async def output(self, deployment: Deployment) -> list[str]:
        return [line.text async for line in self.deployer.output(deployment.id)]

    def current(self) -> Release | None:
        app = self.store.apps.get_by_id(self.app.id)
        return self.store.releases.get_by_id(app.current) if app.current else None

    def serves(self) -> str:
        """Return what serves, as `v3: Deploy aaaaaaa`."""
        release = self.current()
        return f"{release.name}: {release.description}" if release else "nothing"

    def config(self) -> dict[str, str]:
        release = self.current()
        variables = self.store.configs.get(release.config).variables if release else {}
        return {key: secret.reveal() for key, secret in variables.items()}

    def versions(self) -> list[int]:
        return [release.version for release, _ in self.store.releases.list(self.app.id, limit=100)]


@pytest.fixture
def clock() -> Clock:
    return SystemClock()


@pytest.fixture
async def stage(tmp_path: Path, clock: Clock) -> AsyncIterator[Stage]:
    settings = Settings(tmp_path / "home", keep_artifacts=3)
    store = open_store(tmp_path, settings=settings)
    supervisor = FakeSupervisor(clock)
    builds, repositories, logs = FakeBuilds(store), FakeRepositories(), FakeLogs()
    outputs = Outputs(settings, clock=clock)
    deployer = Deployer(
        store=store,
        supervisor=supervisor,
        builds=builds,
        engine=builds,
        repositories=repositories,
        outputs=outputs,
        clock=clock,
        settings=settings,
    )
    traffic = Traffic(store=store, supervisor=supervisor, settings=settings, clock=clock)
    service = ReleaseService(
        store=store,
        supervisor=supervisor,
        repositories=repositories,
        logs=logs,
        deployer=deployer,
        engine=builds,
        traffic=traffic,
        settings=settings,
    )
    app = store.apps.create(AppName("shop"))
    yield Stage(
        app, settings, store, supervisor, builds, repositories, logs, outputs, deployer, service, traffic
    )
    await deployer.close()
    store.close()
