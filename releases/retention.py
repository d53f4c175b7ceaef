"""What is kept and what goes: artifacts, outputs, and folders that nothing points to. It never touches what runs,
nor what a rollback could reach first."""

import asyncio
import logging
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal

from paas.clock import Clock
from paas.domain.build import Artifact, Slug
from paas.domain.event import EventKind
from paas.domain.ids import AppId, BuildId
from paas.domain.release import Release
from paas.errors import PaasError
from paas.settings import Settings
from paas.store.database import Store
from paas.threads import in_thread
from releases.deadline import within
from releases.lease import Leases
from releases.ports import BuildPart
from releases.rollback import earlier

log = logging.getLogger(__name__)

OUTPUTS_KEPT = timedelta(days=30)

STRAY_AFTER = timedelta(hours=1)
"""How old an artifact without a build must be: it is there before its build is recorded."""

_SOON = 0.1
"""Seconds; by then whoever waited for a deployment has its answer."""

_CLOSE_LIMIT = 10.0
"""Seconds that a server which stops gives to what is being removed."""

_ID = re.compile(r"[0-9a-f]{16}")

_Fault = tuple[type[BaseException], BaseException, TracebackType]

Kind = Literal["artifact", "repository", "output", "log", "cache"]


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed, or would be. `bytes` is what that frees: files shared with a cache are not counted; None of an
    image, which shares its layers with others. `origin` is an artifact's app and commit, where a build has it."""

    kind: Kind
    name: str
    bytes: int | None
    origin: str = ""


def superfluous(
    artifacts: Sequence[tuple[BuildId, Artifact]],
    *,
    needed: Collection[BuildId],
    served: Sequence[BuildId],
    keep: int,
) -> list[BuildId]:
    """Return the builds of one app whose artifacts may go.

    `artifacts` come newest first. All of `needed` stay; then, up to `keep` artifacts, those that served, latest first;
    then the newest of the others. A build that shares the artifact of one that stays, stays too.
    """
    of = dict(artifacts)
    order = [*served, *(build for build, _ in artifacts)]
    kept = {of[build] for build in needed if build in of}
    for build in order:
        if len(kept) >= keep:
            break
        if build in of:
            kept.add(of[build])
    return [build for build, artifact in artifacts if artifact not in kept]


class Retention:
    """Removes what is kept no longer, app by app; an app with a deployment under way is left alone."""

    def __init__(
        self, *, store: Store, builds: BuildPart, leases: Leases, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._builds = builds
        self._leases = leases
        self._settings = settings
        self._clock = clock
        self._due: set[AppId] = set()
        self._is_due = False
        self._tidying: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()
        self._closing = asyncio.Event()

    def prune_soon(self, *apps: AppId) -> None:
        """Remove the artifacts that these apps keep no longer, and what no app has, in a task: nobody waits for it, nor
        is it in anybody's way who waits for what came before."""
        self._due.update(apps)
        self._is_due = True
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.create_task(self._tidy_soon(), name="retention")

    async def prune_all_soon(self) -> None:
        """Do for every app what `prune_soon` does: a crash may have come before it, or Docker was away."""
        self.prune_soon(*await in_thread(self._owners))

    async def close(self) -> None:
        """Remove what is due at once, and return when nothing is being removed any more. What takes too long is left to
        the next server."""
        self._closing.set()
        if self._tidying:
            await asyncio.wait({self._tidying}, timeout=_CLOSE_LIMIT)
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)

    async def collect(self, *, dry_run: bool, keep: int | None = None) -> list[Collected]:
        """Remove, or only name, all that may go. What is being removed behind a deployment is gone when this returns."""
        async with self._alone:
            return await self._collect(dry_run=dry_run, keep=keep)

    async def _collect(self, *, dry_run: bool, keep: int | None) -> list[Collected]:
        collected: list[Collected] = []
        for app in sorted(await in_thread(self._owners)):
            collected += await self._prune(app, dry_run=dry_run, keep=keep)
        collected += await self._collect_strays(dry_run=dry_run)
        # What goes with the artifacts above is the cache's alone from now on.
        if trimmed := await self._builds.trim(dry_run=dry_run):
            collected.append(Collected("cache", "build cache", trimmed))
        for kind, path in [*await self._left_by_apps(), *await in_thread(self._old_outputs)]:
            collected.append(Collected(kind, path.name, await in_thread(_freed_by, path)))
            if not dry_run:
                await in_thread(_remove, path)
        return collected

    async def _prune(self, app: AppId, *, dry_run: bool, keep: int | None = None) -> list[Collected]:
        """Remove, or only name, the artifacts that an app keeps no longer; none while a deployment is under way."""
        keep = keep or self._settings.keep_artifacts
        named = await in_thread(self._store.apps.get_by_id, app)
        if not await in_thread(self._superfluous, app, keep):
            return []
        ticket = self._leases.enter_to_tidy(named, who="the garbage collection")
        if ticket is None:
            return []
        async with ticket:
            return await self._remove_superfluous(app, keep=keep, dry_run=dry_run)

    async def _tidy_soon(self) -> None:
        while self._is_due:
            with suppress(TimeoutError):
                await within(self._closing.wait(), _SOON, clock=self._clock)
            async with self._alone:
                due, self._due, self._is_due = self._due, set(), False
                await self._tidy(due)

    async def _tidy(self, apps: Collection[AppId]) -> None:
        """Remove what may go; what cannot be removed holds up nothing else."""
        for app in apps:
            with _noted(app):
                await self._prune(app, dry_run=False)
        with _noted("strays"):
            for stray in await self._strays():
                with _noted(_name(stray)):
                    await self._builds.remove(stray)
        with _noted("build cache"):
            await self._builds.trim(dry_run=False)
        with _noted("what destroyed apps left"):
            for _, path in await self._left_by_apps():
                with _noted(path.name):
                    await in_thread(_remove, path)

    async def _collect_strays(self, *, dry_run: bool) -> list[Collected]:
        """Remove, or only name, what was built and no build has."""
        found = [(each, await self._measured(each)) for each in await self._strays()]
        return [named for each, named in found if dry_run or await self._builds.remove(each)]

    async def _strays(self) -> list[Artifact]:
        return await self._builds.strays(before=self._clock.now() - STRAY_AFTER)

    async def _remove_superfluous(self, app: AppId, *, keep: int, dry_run: bool) -> list[Collected]:
        collected = []
        for build, artifact in await in_thread(self._superfluous, app, keep):
            named = await self._measured(artifact, origin=await in_thread(self._origin, app, build))
            if not dry_run:
                await in_thread(self._forget, app, build, artifact)
            if dry_run or await self._builds.remove(artifact):
                collected.append(named)
        return collected

    async def _measured(self, artifact: Artifact, *, origin: str = "") -> Collected:
        """Return what is said of an artifact; to be asked while it is there."""
        return Collected("artifact", _name(artifact), await in_thread(self._size, artifact), origin)

    def _origin(self, app: AppId, build: BuildId) -> str:
        return f"{self._store.apps.get_by_id(app).name} {self._store.builds.get_by_id(build).commit[:7]}"

    def _owners(self) -> set[AppId]:
        return {app for app, _, _ in self._store.builds.artifacts()}

    def _superfluous(self, app: AppId, keep: int) -> list[tuple[BuildId, Artifact]]:
        own = [(build, artifact) for owner, build, artifact in self._store.builds.artifacts() if owner == app]
        living = any(each.id == app for each in self._store.apps.list())
        served = self._store.releases.served(app) if living else []
        built = [release.build for release in served if release.build]
        kept = keep if living else 0
        gone = set(superfluous(own, needed=self._needed(app, served), served=built, keep=kept))
        return [(build, artifact) for build, artifact in own if build in gone]

    def _needed(self, app: AppId, served: Sequence[Release]) -> set[BuildId]:
        """Return the builds that run, serve, are being deployed, or that `rollback` alone would go back to."""
        store = self._store
        releases = {instance.release for instance in store.instances.living() if instance.app == app}
        under_way = [deployment for deployment in store.deployments.open() if deployment.app == app]
        releases |= {deployment.release for deployment in under_way if deployment.release}
        if current := store.apps.get_by_id(app).current:
            releases.add(current)
        if served and (back := earlier(served, served[0])):
            releases.add(back.id)
        builds = {store.releases.get_by_id(release).build for release in releases}
        builds |= {deployment.build for deployment in under_way}
        return {build for build in builds if build is not None}

    def _forget(self, app: AppId, build: BuildId, artifact: Artifact) -> None:
        self._store.builds.mark_pruned(build)
        self._store.events.append(
            EventKind.ARTIFACT_PRUNED,
            app=app,
            actor="mini",
            cause="no longer among the artifacts that are kept",
            details={"build": build, "artifact": _name(artifact)},
        )

    async def _left_by_apps(self) -> list[tuple[Kind, Path]]:
        """Return the folders of destroyed apps that nobody uses any more: not those of one that is being destroyed."""
        found = await in_thread(self._of_no_app)
        return [(kind, path) for kind, path in found if not self._leases.holder(_app_of(path))]

    def _of_no_app(self) -> list[tuple[Kind, Path]]:
        folders: tuple[tuple[Kind, Path], ...] = (
            ("repository", self._settings.repositories),
            ("log", self._settings.logs),
            ("cache", self._settings.image_files),
        )
        found = [(kind, path) for kind, folder in folders for path in _entries(folder)]
        # Asked after the folders were read: the app of a folder that is there by now is living by now.
        living = {app.id for app in self._store.apps.list()}
        running = {instance.app for instance in self._store.instances.living()}
        return [
            (kind, path)
            for kind, path in found
            if _ID.fullmatch(_app_of(path)) and _app_of(path) not in living | running
        ]

    def _old_outputs(self) -> list[tuple[Kind, Path]]:
        oldest = (self._clock.now() - OUTPUTS_KEPT).timestamp()
        files = [path for folder in _entries(self._settings.outputs) for path in _entries(folder)]
        return [("output", path) for path in files if _is_older(path, oldest)]

    def _size(self, artifact: Artifact) -> int | None:
        return _freed_by(self._settings.slugs / artifact.key) if isinstance(artifact, Slug) else None


@contextmanager
def _noted(what: str) -> Iterator[None]:
    """Log what goes wrong: it is tried again with the next tidying."""
    try:
        yield
    except (PaasError, OSError) as error:
        log.warning("not removed", extra={"what": what, "reason": str(error)})
    except Exception:
        log.exception("not removed by a mistake of mini", extra={"what": what})


def _name(artifact: Artifact) -> str:
    return artifact.key if isinstance(artifact, Slug) else artifact.digest


def _app_of(path: Path) -> AppId:
    """Return the app whose folder it is, where it is the folder of one."""
    return AppId(path.name.removesuffix(".git"))


def _is_older(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:
        return False


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _freed_by(path: Path) -> int:
    """Return how many bytes its removal frees; what is gone meanwhile frees none."""
    found: Iterable[Path] = [path] if path.is_file() else path.rglob("*")
    freed = 0
    with suppress(FileNotFoundError):  # a folder that goes while it is read
        for each in found:
            with suppress(FileNotFoundError):
                stat = each.lstat()
                freed += stat.st_size if stat.st_nlink == 1 else 0
    return freed


def _remove(path: Path) -> None:
    """Remove a file or a folder; what is gone already is as it should be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=_unless_gone)
    else:
        path.unlink(missing_ok=True)


def _unless_gone(_call: object, _path: str, fault: _Fault) -> None:
    if not isinstance(fault[1], FileNotFoundError):
        raise fault[1]
