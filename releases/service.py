"""What is done to apps beside deploying them: made, renamed, scaled, restarted, compared, collected, destroyed.

It makes no release: that is `releases.deploy`. Each method is one use case.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.ids import AppId, ReleaseId
from paas.domain.instance import Instance
from paas.domain.names import AppName, ProcessType, app_name
from paas.domain.release import Release
from paas.errors import ArtifactGoneError, InvalidError, NotFoundError
from paas.settings import Settings
from paas.store.database import Store
from paas.threads import in_thread
from releases import history, rollback, scale
from releases.deploy import Deployer
from releases.ports import Artifacts, Logs, Repositories, SupervisorPart
from releases.reference import resolve
from releases.retention import Collected
from releases.runs import command_of
from releases.traffic import Traffic

_FIRST = (
    "amber",
    "bold",
    "brisk",
    "calm",
    "clear",
    "fond",
    "green",
    "keen",
    "light",
    "quiet",
    "swift",
    "warm",
)
_SECOND = ("birch", "brook", "cliff", "dune", "field", "harbour", "lake", "meadow", "river", "stone", "wind")

DESTROY_WAIT = 900.0
_OVER = ("crashed", "stopped")
"""States of instances of which nothing runs."""


class ReleaseService:
    """The use cases of apps, their formation and their history."""

    def __init__(
        self,
        *,
        store: Store,
        supervisor: SupervisorPart,
        repositories: Repositories,
        logs: Logs,
        deployer: Deployer,
        engine: Artifacts,
        traffic: Traffic,
        settings: Settings,
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._repositories = repositories
        self._logs = logs
        self._deployer = deployer
        self._engine = engine
        self._traffic = traffic
        self._settings = settings

    # -- apps -------------------------------------------------------------------------------------------
    async def create_app(self, name: str | None, *, actor: str) -> App:
        """Return a new app, under a made-up name without one; raises InvalidError, NameTakenError."""
        chosen = app_name(name) if name is not None else await in_thread(self._free_name)
        app = await in_thread(self._create, chosen, actor)
        await self._repositories.ensure(app.id)
        return app

    async def rename_app(self, app: App, *, name: str, actor: str) -> App:
        """Return the app under its new name, once the router knows it; raises InvalidError, NameTakenError."""
        renamed = await in_thread(self._rename, app, app_name(name), actor)
        await self._route(app.id)
        return renamed

    async def destroy_app(self, app: App, *, actor: str) -> None:
        """Return when nothing of the app runs or is kept but a tombstone; its secrets are unreadable at once. What an
        error, or a kill, leaves behind it goes with the next round of retention."""
        await self._deployer.cancel_all(app)
        async with self._deployer.leases.enter(
            app, who=f"the destruction of {app.name} by {actor}", wait=DESTROY_WAIT
        ):
            await in_thread(self._store.apps.destroy, app.id, actor=actor)
            await self._route(app.id)
            await self._traffic.tidy()
            await self._supervisor.emptied(app.id)
            await self._repositories.remove(app.id)
            await self._logs.forget(app.id)
        self._deployer.retention.prune_soon(app.id)

    # -- formation --------------------------------------------------------------------------------------
    async def scale(
        self, app: App, tokens: Sequence[str], *, wait: bool, actor: str
    ) -> dict[ProcessType, int]:
        """Return the new counts of what `tokens` name, with `wait` once that runs; raises InvalidError for a bad
        token, ArtifactGoneError for more of what could not start, and then nothing was changed; NotHealthyError where
        what was added does not come up."""
        counts = await in_thread(self._scale, app.id, tokens, actor, await self._loss(app))
        await self._apply(app.id, wait=wait)
        return counts

    async def restart(self, app: App, target: str | None, *, wait: bool, actor: str) -> list[str]:
        """Return the names of the instances that are replaced, with `wait` once they are; all without `target`. Raises as
        `scale` does."""
        if loss := await self._loss(app):
            raise loss
        names = await in_thread(self._restart, app.id, target, actor)
        await self._apply(app.id, wait=wait)
        return names

    async def stop_instance(self, app: App, name: str, *, actor: str) -> Instance | None:
        """Stop one instance, such as web.2, and keep it stopped until a restart, a scale or a new release; or end a
        one-off, such as run.1, which is returned as it stops. Raises InvalidError, NotFoundError, ConflictError."""
        try:
            await in_thread(self._stop_slot, app.id, scale.instance_name(name), actor)
        except NotFoundError:
            if one_off := await self._supervisor.stop_run(app.id, name, actor=actor):
                return one_off
            raise
        self._supervisor.nudge()
        return None

    # -- history ----------------------------------------------------------------------------------------
    async def diff(self, app: App, *, a: str | None, b: str | None) -> history.Difference:
        """Return what differs between two releases, their commits included; raises NotFoundError."""
        before, after = await in_thread(history.pair, self._store, app, a, b)
        difference = await in_thread(history.compare, self._store, before, after)
        if not (before.commit and after.commit) or before.commit == after.commit:
            return difference
        commits = await self._repositories.log(app.id, since=before.commit, until=after.commit)
        return replace(difference, commits=tuple(commits))

    async def rollback_preview(self, app: App, to: str | None) -> history.RollbackPreview:
        """Return what a rollback would do; raises as the rollback itself would."""
        target = await self._deployer.rollback_target(app, to)
        current = await in_thread(self._serving, app.id)
        changes = await in_thread(history.config_differences, self._store, current, target)
        return history.RollbackPreview(target, current, changes)

    def rollback_targets(self, app: App) -> set[ReleaseId]:
        """Return the releases that could be rolled back to. Blocks on the store."""
        return rollback.targets(self._store, app)

    def run_command(self, app: App, words: Sequence[str], *, release: str | None) -> tuple[Release, str]:
        """Return the release and the command of a one-off; raises NotFoundError, InvalidError. Blocks on the store."""
        chosen = resolve(self._store, app, release or "@")
        if chosen.manifest is None:
            raise InvalidError(f"{chosen.name} of {app.name} has no build to run a command in. Push first.")
        return chosen, command_of(words, chosen.manifest.procfile)

    async def collect_garbage(self, *, dry_run: bool, keep: int | None) -> list[Collected]:
        """Remove, or only name, what is kept no longer."""
        return await self._deployer.retention.collect(dry_run=dry_run, keep=keep)

    # -- below ------------------------------------------------------------------------------------------
    def _free_name(self) -> AppName:
        while True:
            name = f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}-{secrets.randbelow(9000) + 1000}"
            if self._store.apps.find(AppName(name)) is None:
                return AppName(name)

    def _create(self, name: AppName, actor: str) -> App:
        with self._store.transaction():
            app = self._store.apps.create(name)
            self._tell(EventKind.APP_CREATED, app.id, actor, f"{app.name} was created")
        return app

    def _rename(self, app: App, name: AppName, actor: str) -> App:
        with self._store.transaction():
            renamed = self._store.apps.rename(app.id, name)
            self._tell(EventKind.APP_RENAMED, app.id, actor, f"{app.name} is {renamed.name} now")
        return renamed

    def _scale(
        self, app: AppId, tokens: Sequence[str], actor: str, loss: ArtifactGoneError | None
    ) -> dict[ProcessType, int]:
        with self._store.transaction():
            current = self._store.apps.get_by_id(app).current
            manifest = self._store.releases.get_by_id(current).manifest if current else None
            before = self._store.formations.get(app)
            counts = scale.scaled(
                tokens,
                before,
                types=manifest.procfile.long_running if manifest else (),
                limit=self._settings.max_instances_per_type,
            )
            if loss and any(count > before.get(name, 0) for name, count in counts.items()):
                raise loss
            self._store.formations.set(app, counts)
            details = {str(name): count for name, count in counts.items()}
            self._tell(EventKind.FORMATION_SCALED, app, actor, " ".join(tokens), **details)
        return counts

    def _restart(self, app: AppId, target: str | None, actor: str) -> list[str]:
        with self._store.transaction():
            slots = self._slots(app, target)
            names = [f"{name}.{index}" for name, index in slots]
            self._store.formations.restart(app, slots)
            self._tell(EventKind.INSTANCES_RESTARTED, app, actor, f"restart of {', '.join(names)}")
        return names

    def _stop_slot(self, app: AppId, name: str, actor: str) -> None:
        with self._store.transaction():
            version = self._serving(app).version
            self._store.formations.stop_slot(app, *self._slots(app, name)[0], version=version)
            self._tell(EventKind.INSTANCE_STOPPED, app, actor, f"stop of {name}", instance=name)

    def _slots(self, app: AppId, target: str | None) -> list[tuple[ProcessType, int]]:
        manifest = self._serving(app).manifest
        types = manifest.procfile.long_running if manifest else ()
        return scale.slots(self._store.formations.get(app), types=types, target=target)

    def _serving(self, app: AppId) -> Release:
        return resolve(self._store, self._store.apps.get_by_id(app), "@")

    async def _loss(self, app: App) -> ArtifactGoneError | None:
        """Return what to raise where nothing of the app runs and its artifact is gone: while something does, an image is
        in use and stays."""
        seen = self._supervisor.instances(app.id)
        if app.current is None or any(each.state not in _OVER for each in seen):
            return None
        release = await in_thread(self._store.releases.get_by_id, app.current)
        if release.build is None:
            return None
        build = await in_thread(self._store.builds.get_by_id, release.build)
        return await rollback.loss(self._engine, build, release)

    async def _apply(self, app: AppId, *, wait: bool) -> None:
        self._supervisor.nudge()
        if wait:
            limit = self._settings.boot_limit + self._settings.drain_limit + self._settings.stop_grace
            await self._supervisor.settled(app, within=limit)

    async def _route(self, app: AppId) -> None:
        self._supervisor.nudge()
        await self._supervisor.routed(app)

    def _tell(self, kind: EventKind, app: AppId, actor: str, cause: str, **details: str | int) -> None:
        self._store.events.append(kind, app=app, actor=actor, cause=cause, details=details)
