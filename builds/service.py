"""Builds, from the first line of output to the record of how they ended. What is built and how is the builder's."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from builds.base import Builder, Built, Say
from builds.git import Quarantine
from builds.limit import Limit
from builds.output import BuildOutput
from builds.repository import Repositories
from builds.source import Source
from paas.clock import Clock
from paas.domain.app import App
from paas.domain.build import Artifact, Build, BuildState, Slug
from paas.domain.ids import BuildId, Commit
from paas.domain.names import AppName
from paas.errors import DiskFullError, OperationCancelledError, OperationTimedOutError, PaasError
from paas.settings import Settings
from paas.store.database import Store
from paas.store.errors import PASSING
from paas.store.persistence import persist
from paas.threads import in_thread, to_its_end

_CANCELLED = "The build was cancelled; nothing was changed."
_UNFORESEEN = "The build ended by a fault of mini itself; the server's log says which. Push again."


@dataclass(frozen=True, slots=True)
class _Running:
    task: asyncio.Task[Built]
    output: BuildOutput
    recorded: asyncio.Event = field(default_factory=asyncio.Event)


class BuildService:
    """Makes builds and keeps their output. Every build that runs is a task of whoever asked for it."""

    def __init__(
        self, *, store: Store, settings: Settings, clock: Clock, builder: Builder, repositories: Repositories
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._builder = builder
        self._repositories = repositories
        self._running: dict[BuildId, _Running] = {}

    @property
    def builder(self) -> str:
        """The name of the way that builds are made now: `Build.builder` of a new build."""
        return self._builder.name

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
        """Return a build of `commit` that succeeded: an earlier one where it can be used again, unless `no_cache`.

        `output` gets each line as it comes. Raises BuildFailedError with the reason in one sentence,
        OperationTimedOutError over `Settings.build_limit`, OperationCancelledError where `cancel` was called, and
        CancelledError where the caller itself was cancelled; by then nothing of the build runs or is left.
        """
        if not no_cache and (earlier := await self._reusable(app, commit)):
            return earlier
        async with self._repositories.source(app.id, commit, quarantine=quarantine) as opened:
            begin = partial(
                self._store.builds.begin,
                app.id,
                commit=commit,
                ref=ref,
                builder=self._builder.name,
                actor=actor,
            )
            build = await to_its_end(begin, undo=self._record_cancelled)
            salt = build.id if no_cache else ""
            with ExitStack() as stack:
                kept = BuildOutput(self.output(build.id), say=output)
                try:
                    with _system_errors(build.commit):
                        stack.enter_context(kept)
                except PaasError as error:
                    await self._fail(build.id, error, keep=kept.keep)
                    raise
                task = asyncio.create_task(self._make(build, opened, app=app.name, salt=salt, say=kept.line))
                running = self._running[build.id] = _Running(task, kept)
                try:
                    return await self._record(build.id, task, keep=kept.keep)
                finally:
                    del self._running[build.id]
                    running.recorded.set()

    def output(self, build: BuildId) -> Path:
        """Return the file that a build's output is kept in."""
        return self._settings.outputs / "builds" / f"{build}.log"

    async def follow(self, build: BuildId) -> AsyncIterator[str]:
        """Yield a build's lines: those there are, and for one that runs what comes, until it has ended."""
        running = self._running.get(build)
        kept = running.output if running else BuildOutput(self.output(build))
        async for line in kept.follow():
            yield line

    async def cancel(self, id: BuildId) -> None:
        """Cancel a running build and return when its end is recorded; nothing where it has ended before."""
        if running := self._running.get(id):
            running.task.cancel()
            await running.recorded.wait()

    async def remove(self, artifact: Artifact) -> bool:
        """Remove an artifact that no build has which is not marked as pruned, and return whether it is removed.

        Nothing goes while any build runs, since it may be about to use or record this very artifact, however old that
        is: the next collection finds it again.
        """
        # Asked twice: its record may come after the others were read, and its end before they are compared.
        if self._running:
            return False
        kept = await in_thread(self._store.builds.artifacts)
        if self._running or any(_identity(other) == _identity(artifact) for _, _, other in kept):
            return False
        return await self._builder.remove(artifact)

    async def strays(self, *, before: datetime) -> list[Artifact]:
        """Return the artifacts that no build has: those of builds that are marked as pruned, and those of before that
        time that were never recorded, as a crash came first. While any build runs there are none, as one may be its own:
        what is all cached is as old as the cache."""
        if self._running:
            return []
        there = await self._builder.present()
        return await in_thread(self._without_a_build, there, before)

    def _without_a_build(
        self, there: Sequence[tuple[Artifact, datetime]], before: datetime
    ) -> list[Artifact]:
        builds = self._store.builds
        kept = {_identity(artifact) for _, _, artifact in builds.artifacts()}
        strays = [(artifact, made_at) for artifact, made_at in there if _identity(artifact) not in kept]
        pruned = {_identity(artifact) for artifact in builds.pruned()} if strays else set()
        return [artifact for artifact, made_at in strays if made_at < before or _identity(artifact) in pruned]

    async def trim(self, *, dry_run: bool) -> int:
        """Bring what builds leave for later ones back within its limit, but not while any build runs, which may be
        about to use it; return how many bytes that frees, or would."""
        return 0 if self._running else await self._builder.trim(dry_run=dry_run)

    async def _reusable(self, app: App, commit: Commit) -> Build | None:
        found = await in_thread(
            self._store.builds.reusable, app.id, commit=commit, builder=self._builder.name
        )
        usable = found is not None and found.artifact is not None and await self._builder.has(found.artifact)
        return found if usable else None

    async def _make(
        self, build: Build, opened: Callable[[], Awaitable[Source]], *, app: AppName, salt: str, say: Say
    ) -> Built:
        seconds, commit = self._settings.build_limit, build.commit
        with _system_errors(commit):
            try:
                async with Limit(seconds) as limit:
                    source = await opened()
                    return await self._builder.build(source, build, app=app, salt=salt, limit=limit, say=say)
            except TimeoutError as error:
                message = f"The build of {commit[:7]} took longer than {seconds:g} s and was ended; MINI_BUILD_LIMIT is the limit."
                raise OperationTimedOutError(message) from error

    async def _record(self, id: BuildId, task: asyncio.Task[Built], *, keep: Say) -> Build:
        """Wait for a build and record how it ended, also where the caller is cancelled meanwhile."""
        known = False
        try:
            built = await task
            known = True
        except asyncio.CancelledError:
            known = True
            caller = asyncio.current_task()
            error = OperationCancelledError(_CANCELLED)
            await self._fail(id, error, keep=keep)
            if caller is not None and caller.cancelling():
                raise
            raise error from None
        except PaasError as error:
            known = True
            await self._fail(id, error, keep=keep)
            raise
        finally:
            if not known:
                await self._fail(id, PaasError(_UNFORESEEN), keep=keep)
        try:
            return await in_thread(
                self._store.builds.succeed, id, artifact=built.artifact, manifest=built.manifest
            )
        except PaasError as error:
            await self._fail(id, error, keep=keep)
            raise

    async def _fail(self, id: BuildId, error: PaasError, *, keep: Say) -> None:
        keep(error.message)
        cancelled = type(error) is OperationCancelledError
        state = BuildState.CANCELLED if cancelled else BuildState.FAILED
        fail = partial(self._store.builds.fail, id, state=state, reason=error.message)
        recording = asyncio.ensure_future(persist(fail, clock=self._clock))
        try:
            await asyncio.shield(recording)
        except asyncio.CancelledError:  # it gives up by itself, soon
            await asyncio.wait({recording})
            raise

    def _record_cancelled(self, build: Build) -> None:
        fail = partial(self._store.builds.fail, build.id, state=BuildState.CANCELLED, reason=_CANCELLED)
        try:
            fail()
        except PASSING:  # where the disk was full, the store has made room for so little
            fail()


@contextmanager
def _system_errors(commit: Commit) -> Iterator[None]:
    """Translate what the operating system says during a build of that commit."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError from error
        raise PaasError(
            f"The build of {commit[:7]} met the operating system: {error}. Push again."
        ) from error


def _identity(artifact: Artifact) -> str:
    return artifact.key if isinstance(artifact, Slug) else artifact.digest
