"""A whole control plane but for its processes: real store, supervisor and deployer over an engine that is acted out."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from threading import Barrier
from typing import TypeVar

from paas import threads
from paas.domain.names import AppName
from paas.domain.release import Deployment, Release
from paas.settings import Settings
from paas.supervisor.loop import Supervisor
from paas.testing.behaviour import IDLES, SERVES, Behaviour
from paas.testing.clock import FakeClock
from paas.testing.engine import FakeEngine
from paas.testing.ports import FakeLines, FakeRouting
from releases.deploy import Deployer
from releases.outputs import Outputs
from releases.service import ReleaseService
from releases.traffic import Traffic
from tests.stores import open_store
from tests.unit.releases.fakes import FakeBuilds, FakeLogs, FakeRepositories, commit, manifest

T = TypeVar("T")

COMMITS = ("aaaaaaa", "bbbbbbb", "ccccccc")


class Town:
    """One app, `shop`, whose commits serve with `serve COMMIT` and migrate with `migrate COMMIT`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.settings = Settings(folder / "home", keep_artifacts=100)
        self.store = open_store(folder, settings=self.settings, clock=self.clock)
        self.engine = FakeEngine(self.clock)
        for name in COMMITS:
            self.engine.behave(f"migrate {name}", Behaviour(exits=0))
        (folder / "fifos").mkdir()
        self.lines = FakeLines(folder / "fifos")
        self.routing = FakeRouting()
        self.most = 0
        """The most instances that ran at any moment since it was last set to 0."""
        self.app = self.store.apps.create(AppName("shop"))
        self._compose()

    def _compose(self) -> None:
        self.supervisor = Supervisor(
            store=self.store,
            engine=self.engine,
            routing=self.routing,
            lines=self.lines,
            clock=self.clock,
            settings=self.settings,
            boot_id="fake-boot",
            jitter=lambda: 0.0,
        )
        self.builds = FakeBuilds(self.store)
        for name in COMMITS:
            self.builds.manifests[commit(name)] = manifest(
                web=f"serve {name}", worker="work", release=f"migrate {name}"
            )
        self.deployer = Deployer(
            store=self.store,
            supervisor=self.supervisor,
            builds=self.builds,
            engine=self.engine,
            repositories=FakeRepositories(),
            outputs=Outputs(self.settings, clock=self.clock),
            clock=self.clock,
            settings=self.settings,
        )
        self.service = ReleaseService(
            store=self.store,
            supervisor=self.supervisor,
            repositories=FakeRepositories(),
            logs=FakeLogs(),
            deployer=self.deployer,
            engine=self.engine,
            traffic=Traffic(
                store=self.store, supervisor=self.supervisor, settings=self.settings, clock=self.clock
            ),
            settings=self.settings,
        )

    # -- the control plane's life -----------------------------------------------------------------------------------
    async def start(self) -> None:
        self._outside = asyncio.all_tasks()
        await self.deployer.recover()
        await self.over(self.supervisor.start())

    async def stop(self) -> None:
        await self.deployer.close()
        await self.supervisor.stop(keep_apps=True)

    async def restart(self) -> None:
        """Stop the control plane in order and start the next one; the instances run on."""
        await self.stop()
        self.store.close()
        await self._next()

    async def crash(self) -> None:
        """Let the control plane die where it stands and start the next one: what the dying one still records is lost.

        Every task that was not there when it started ends.
        """
        snapshot = self.folder / "snapshot.db"
        self.store.backup(snapshot)
        apps = {each.acting for each in self.engine.machine.instances.values() if each.acting}
        mine = asyncio.all_tasks() - self._outside - apps - {asyncio.current_task()}
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        await _threads_at_rest()
        self.store.close()
        for left in self.settings.home.glob("mini.db-*"):
            left.unlink()
        snapshot.replace(self.settings.database)
        await self._next()

    async def _next(self) -> None:
        self.store = open_store(self.folder, settings=self.settings, clock=self.clock)
        self.engine = self.engine.restarted()
        self._compose()
        await self.start()

    async def close(self) -> None:
        await self.stop()
        self.lines.close()
        self.store.close()

    # -- what a user does -------------------------------------------------------------------------------------------
    async def begin_push(self, name: str, *, no_cache: bool = False) -> Deployment:
        return await self.deployer.push(
            self.app, commit=commit(name), ref="main", message="", no_cache=no_cache, wait_lock=60, actor="me"
        )

    async def push(self, name: str, *, no_cache: bool = False) -> Deployment:
        return await self.end_of(await self.begin_push(name, no_cache=no_cache))

    async def configure(self, changes: dict[str, str | None]) -> Deployment:
        started = await self.deployer.set_config(self.app, changes=changes, wait_lock=60, actor="me")
        return await self.end_of(started)

    async def roll_back(self, to: str | None) -> Deployment:
        return await self.end_of(await self.deployer.rollback(self.app, to=to, wait_lock=60, actor="me"))

    async def end_of(self, deployment: Deployment) -> Deployment:
        return await self.over(self.deployer.wait(deployment))

    async def over(self, waited_for: Coroutine[None, None, T]) -> T:
        """Return what `waited_for` returns, letting time pass until it does; raises what it raises."""
        task = asyncio.ensure_future(waited_for)

        def done() -> bool:
            self.most = max(self.most, len(self.running()))
            return task.done()

        await self.clock.until(done)
        return task.result()

    # -- what happens to apps ---------------------------------------------------------------------------------------
    def sicken(self, name: str) -> None:
        """Let what is started of a commit from now on end before it listens."""
        self.engine.behave(f"serve {name}", Behaviour(exits=1))

    def never_listen(self, name: str) -> None:
        """Let what is started of a commit from now on never listen."""
        self.engine.behave(f"serve {name}", IDLES)

    def spoil(self, name: str) -> None:
        """Let a commit's release command fail from now on."""
        self.engine.behave(f"migrate {name}", Behaviour(exits=3, prints=("cannot migrate",)))

    def cure(self, name: str) -> None:
        self.engine.behave(f"serve {name}", SERVES)
        self.engine.behave(f"migrate {name}", Behaviour(exits=0))

    # -- what there is to see ---------------------------------------------------------------------------------------
    def running(self) -> dict[tuple[str, int], int]:
        """Return the pids of what the engine runs, by name and version."""
        return {
            (each.spec.name, each.spec.version): each.identity.pid
            for each in self.engine.machine.instances.values()
            if each.running and each.spec.type != "release"
        }

    def current(self) -> Release | None:
        app = self.store.apps.get_by_id(self.app.id)
        return self.store.releases.get_by_id(app.current) if app.current else None

    def config(self) -> dict[str, str]:
        release = self.current()
        variables = self.store.configs.get(release.config).variables if release else {}
        return {key: secret.reveal() for key, secret in variables.items()}

    async def settle(self) -> None:
        """Wait until exactly what should run is up."""

        def quiet() -> bool:
            self.most = max(self.most, len(self.running()))
            shown = self.supervisor.instances(self.app.id)
            up = {(each.instance.name, each.instance.version) for each in shown if each.state.value == "up"}
            return len(shown) == len(up) and up == set(self.running()) == self.wanted()

        await self.clock.until(quiet)

    def wanted(self) -> set[tuple[str, int]]:
        """Return what should run by what the store says."""
        release = self.current()
        if release is None or release.build is None:
            return set()
        counts = self.store.formations.get(self.app.id)
        return {
            (f"{name}.{index}", release.version)
            for name in ("web", "worker")
            for index in range(1, counts.get(name, 0) + 1)  # type: ignore[call-overload]  # names as plain text
        }


async def _threads_at_rest() -> None:
    """Return when no call that was cut loose still runs: one more call on every thread at once, and all have met."""
    workers = threads._POOL._max_workers
    meeting = Barrier(workers)
    await asyncio.gather(*(threads.in_thread(meeting.wait, 10) for _ in range(workers)))
