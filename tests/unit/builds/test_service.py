import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from builds.base import Built, Say
from builds.limit import Limit
from builds.service import BuildService
from builds.slug import SlugBuilder
from builds.source import Source
from paas.clock import SystemClock
from paas.domain.app import App
from paas.domain.build import Artifact, Build, BuildState, Slug
from paas.domain.event import EventKind
from paas.domain.ids import AppId, BuildId, Commit
from paas.domain.names import AppName, ProcessType
from paas.domain.process import Manifest, Procfile
from paas.errors import (
    BuildFailedError,
    ConflictError,
    DiskFullError,
    OperationCancelledError,
    OperationTimedOutError,
    PaasError,
)
from paas.settings import Settings
from paas.store.database import Store
from paas.store.errors import BusyStoreError
from tests.eventually import eventually_async
from tests.unit.builds.repos import Server, WorkTree

pytestmark = pytest.mark.anyio
PROCFILE: dict[str, str | bytes] = {"Procfile": "web: ./run\n"}
STRAY = Slug("stray")
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)


class Endless:
    """A builder that says one line and then never ends."""

    name = "endless/1"

    async def build(
        self, source: Source, build: Build, *, app: AppName, salt: str, limit: Limit, say: Say
    ) -> Built:
        say("begun")
        await asyncio.Event().wait()
        raise AssertionError

    async def has(self, artifact: Artifact) -> bool:
        return False

    async def remove(self, artifact: Artifact) -> bool:
        return True

    async def trim(self, *, dry_run: bool) -> int:
        return 7

    async def present(self) -> list[tuple[Artifact, datetime]]:
        return [(STRAY, MADE_AT)]


class Faulty(Endless):
    """A builder with a fault that nobody foresaw."""

    async def build(
        self, source: Source, build: Build, *, app: AppName, salt: str, limit: Limit, say: Say
    ) -> Built:
        raise RuntimeError("a fault")


class OneAtATime(Endless):
    """A builder with room for one build."""

    def __init__(self) -> None:
        self.room = asyncio.Lock()

    async def build(
        self, source: Source, build: Build, *, app: AppName, salt: str, limit: Limit, say: Say
    ) -> Built:
        async with limit.turn(self.room):
            return Built(Slug(build.id), Manifest(Procfile({ProcessType("web"): "./run"})))


class Bench:
    """A build service over a real store and a real repository."""

    def __init__(self, server: Server, work: WorkTree, store: Store, settings: Settings) -> None:
        self.server, self.work, self.store, self.settings = server, work, store, settings
        self.app: App = store.apps.create(AppName("shop"))
        self.lines: list[str] = []
        self.service = self.serving(SlugBuilder(settings))

    def serving(self, builder: SlugBuilder | Endless) -> BuildService:
        return BuildService(
            store=self.store,
            settings=self.settings,
            clock=SystemClock(),
            builder=builder,
            repositories=self.server.repositories,
        )

    async def commit(self, files: dict[str, str | bytes]) -> Commit:
        await self.server.repositories.ensure(self.app.id)
        self.server.bare = self.server.repositories.path(self.app.id)
        commit = self.work.commit(files)
        self.server.take(self.work)
        return commit

    async def build(self, commit: Commit, *, no_cache: bool = False) -> Build:
        return await self.service.build(
            self.app, commit=commit, ref="main", actor="me", no_cache=no_cache, output=self.lines.append
        )

    def newest(self) -> Build:
        return self.store.builds.list(self.app.id)[0]


@asynccontextmanager
async def opened(server: Server, work: WorkTree, settings: Settings) -> AsyncIterator[Bench]:
    store = Store.open(settings, clock=SystemClock())
    try:
        yield Bench(server, work, store, settings)
    finally:
        # The source of a build that failed before it was read is closed once it is open.
        if opening := [task for task in asyncio.all_tasks() if "in_thread" in str(task.get_coro())]:
            await asyncio.wait(opening, timeout=10)
        store.close()


@pytest.fixture
async def bench(server: Server, work: WorkTree) -> AsyncIterator[Bench]:
    async with opened(server, work, server.settings) as bench:
        yield bench


async def test_a_build_is_recorded_with_its_artifact_manifest_and_output(bench: Bench) -> None:
    build = await bench.build(await bench.commit(PROCFILE))
    assert build.state is BuildState.SUCCEEDED
    assert build.artifact is not None
    assert build.manifest is not None
    assert list(build.manifest.procfile.commands) == ["web"]
    assert bench.service.output(build.id).read_text().splitlines() == bench.lines
    assert [line async for line in bench.service.follow(build.id)] == bench.lines


async def test_a_commit_that_was_built_is_not_built_again_unless_asked(bench: Bench) -> None:
    commit = await bench.commit(PROCFILE)
    build = await bench.build(commit)
    assert await bench.build(commit) == build
    fresh = await bench.build(commit, no_cache=True)
    assert fresh.id != build.id
    assert fresh.artifact != build.artifact


async def test_a_commit_whose_artifact_is_gone_is_built_again(bench: Bench) -> None:
    commit = await bench.commit(PROCFILE)
    build = await bench.build(commit)
    assert build.artifact is not None
    await asyncio.to_thread(bench.store.builds.mark_pruned, build.id)
    await bench.service.remove(build.artifact)
    again = await bench.build(commit)
    assert again.id != build.id
    assert again.artifact == build.artifact


async def test_an_artifact_that_another_build_has_is_not_removed(bench: Bench) -> None:
    first = await bench.build(await bench.commit(PROCFILE))
    second = await bench.build(await bench.commit({}))
    assert first.artifact == second.artifact
    assert first.artifact is not None
    bench.store.builds.mark_pruned(first.id)
    await bench.service.remove(first.artifact)
    assert await SlugBuilder(bench.settings).has(first.artifact)


async def test_a_failed_build_is_recorded_with_its_reason(bench: Bench) -> None:
    with pytest.raises(BuildFailedError, match="has no Procfile"):
        await bench.build(await bench.commit({"a": ""}))
    build = bench.newest()
    assert build.state is BuildState.FAILED
    assert "has no Procfile" in build.reason
    assert bench.service.output(build.id).read_text().strip() == build.reason
    assert bench.lines == []


async def test_a_build_that_ends_by_an_unforeseen_fault_is_recorded_as_failed(bench: Bench) -> None:
    bench.service = bench.serving(Faulty())

    with pytest.raises(RuntimeError, match="a fault"):
        await bench.build(await bench.commit(PROCFILE))

    build = bench.newest()
    assert build.state is BuildState.FAILED
    assert "a fault of mini itself" in build.reason


async def test_a_build_whose_output_cannot_be_kept_is_recorded_as_failed(bench: Bench) -> None:
    commit = await bench.commit(PROCFILE)
    bench.settings.outputs.write_text("a file in the place of the folder")

    with pytest.raises(PaasError, match="met the operating system"):
        await bench.build(commit)

    build = bench.newest()
    assert build.state is BuildState.FAILED
    assert "met the operating system" in build.reason


async def test_a_build_that_begins_on_a_full_disk_fails_by_that(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = await bench.commit(PROCFILE)
    mkdir = Path.mkdir

    def full(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if bench.settings.outputs in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        mkdir(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(DiskFullError):
        await bench.build(commit)

    build = bench.newest()
    assert (build.state, build.reason) == (BuildState.FAILED, DiskFullError().message)


async def test_a_build_whose_success_cannot_be_recorded_is_recorded_as_failed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = await bench.commit(PROCFILE)

    def busy(id: BuildId, *, artifact: Artifact, manifest: Manifest) -> Build:
        raise ConflictError("The database is busy.")

    monkeypatch.setattr(bench.store.builds, "succeed", busy)
    with pytest.raises(ConflictError, match="busy"):
        await bench.build(commit)

    build = bench.newest()
    assert (build.state, build.reason) == (BuildState.FAILED, "The database is busy.")
    assert bench.service.output(build.id).read_text().splitlines()[-1] == build.reason


async def test_a_build_whose_end_meets_a_busy_database_is_recorded_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, tries = bench.store.builds.fail, iter((False, True))

    def busy_at_first(id: BuildId, *, state: BuildState, reason: str) -> Build:
        if next(tries):
            return fail(id, state=state, reason=reason)
        raise BusyStoreError

    monkeypatch.setattr(bench.store.builds, "fail", busy_at_first)
    task, id = await begun(bench, await bench.commit(PROCFILE))
    await bench.service.cancel(id)
    with pytest.raises(OperationCancelledError):
        await task
    assert bench.newest().state is BuildState.CANCELLED


async def begun(bench: Bench, commit: Commit) -> tuple["asyncio.Task[Build]", BuildId]:
    bench.service = bench.serving(Endless())
    task = asyncio.create_task(bench.build(commit))

    async def says() -> bool:
        return "begun" in bench.lines

    await eventually_async(says)
    return task, bench.newest().id


async def test_a_build_can_be_cancelled_by_its_id(bench: Bench) -> None:
    task, id = await begun(bench, await bench.commit(PROCFILE))
    await bench.service.cancel(id)
    with pytest.raises(OperationCancelledError, match="The build was cancelled"):
        await task
    assert bench.newest().state is BuildState.CANCELLED
    await bench.service.cancel(id)


async def test_a_caller_that_is_cancelled_cancels_its_build(bench: Bench) -> None:
    task, _ = await begun(bench, await bench.commit(PROCFILE))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.newest().state is BuildState.CANCELLED


async def test_a_follower_sees_what_was_said_and_then_the_end(bench: Bench) -> None:
    task, id = await begun(bench, await bench.commit(PROCFILE))
    following = asyncio.create_task(collect(bench.service.follow(id)))
    await bench.service.cancel(id)
    await asyncio.gather(task, return_exceptions=True)
    assert await following == ["begun", "The build was cancelled; nothing was changed."]


async def collect(lines: AsyncIterator[str]) -> list[str]:
    return [line async for line in lines]


async def test_a_build_over_its_limit_is_ended(server: Server, work: WorkTree) -> None:
    async with opened(server, work, replace(server.settings, build_limit=0.05)) as bench:
        bench.service = bench.serving(Endless())
        with pytest.raises(OperationTimedOutError, match=r"took longer than 0\.05 s"):
            await bench.build(await bench.commit(PROCFILE))
        assert bench.newest().state is BuildState.FAILED


async def test_a_build_that_waits_for_another_is_not_over_its_limit(server: Server, work: WorkTree) -> None:
    async with opened(server, work, replace(server.settings, build_limit=1)) as bench:
        builder = OneAtATime()
        bench.service = bench.serving(builder)
        commit = await bench.commit(PROCFILE)
        async with builder.room:
            building = asyncio.create_task(bench.build(commit))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(building), 1.5)
        assert (await building).state is BuildState.SUCCEEDED


async def test_nothing_is_a_stray_or_removed_while_it_may_be_a_running_builds_own(bench: Bench) -> None:
    task, id = await begun(bench, await bench.commit(PROCFILE))
    assert await bench.service.strays(before=datetime.now(UTC)) == []
    assert not await bench.service.remove(STRAY)
    assert await bench.service.trim(dry_run=False) == 0
    await bench.service.cancel(id)
    await asyncio.gather(task, return_exceptions=True)
    assert await bench.service.strays(before=datetime.now(UTC)) == [STRAY]
    assert await bench.service.remove(STRAY)
    assert await bench.service.trim(dry_run=False) == 7


async def test_a_build_whose_beginning_is_being_written_when_it_is_cancelled_has_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, writing, gate = await bench.commit(PROCFILE), Event(), Event()
    begin = bench.store.builds.begin

    def slow(app: AppId, *, commit: Commit, ref: str, builder: str, actor: str) -> Build:
        writing.set()
        gate.wait()
        return begin(app, commit=commit, ref=ref, builder=builder, actor=actor)

    monkeypatch.setattr(bench.store.builds, "begin", slow)
    task = asyncio.create_task(bench.build(commit))
    await asyncio.to_thread(writing.wait)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.newest().state is BuildState.CANCELLED


async def test_what_was_never_recorded_is_a_stray_once_it_is_old(bench: Bench) -> None:
    service = bench.serving(Endless())
    assert await service.strays(before=MADE_AT - timedelta(hours=1)) == []
    assert await service.strays(before=MADE_AT + timedelta(hours=1)) == [STRAY]


async def test_what_is_there_although_it_was_pruned_is_a_stray_at_once(bench: Bench) -> None:
    build = await bench.build(await bench.commit(PROCFILE))
    assert build.artifact
    assert await bench.service.strays(before=datetime.now(UTC) + timedelta(hours=1)) == []
    bench.store.builds.mark_pruned(build.id)
    assert await bench.service.strays(before=MADE_AT) == [build.artifact]


async def test_what_another_build_has_is_no_stray_although_it_was_pruned(bench: Bench) -> None:
    commit = await bench.commit(PROCFILE)
    first = await bench.build(commit)
    bench.store.builds.mark_pruned(first.id)
    again = await bench.build(commit)
    assert (again.id != first.id, again.artifact) == (True, first.artifact)
    assert await bench.service.strays(before=MADE_AT) == []


async def test_a_build_that_never_was_has_no_lines(bench: Bench) -> None:
    assert await collect(bench.service.follow(BuildId("none"))) == []


async def test_the_events_tell_of_every_build_that_began_and_how_it_ended(bench: Bench) -> None:
    await bench.build(await bench.commit(PROCFILE))
    with pytest.raises(BuildFailedError):
        await bench.build(await bench.commit({"Procfile": "nothing"}))

    kinds = [event.kind for event in bench.store.events.list(bench.app.id, limit=9)]
    assert kinds[-4:] == [
        EventKind.BUILD_STARTED,
        EventKind.BUILD_SUCCEEDED,
        EventKind.BUILD_STARTED,
        EventKind.BUILD_FAILED,
    ]
