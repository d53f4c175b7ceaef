"""What is kept and what goes."""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paas.clock import SystemClock
from paas.domain.build import Image, Slug
from paas.domain.ids import BuildId
from paas.domain.instance import ExitStatus
from paas.domain.names import AppName, ProcessType
from paas.errors import ArtifactGoneError, OperationTimedOutError
from releases.retention import superfluous
from tests.eventually import eventually_async
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit

pytestmark = pytest.mark.anyio


def builds(*names: str) -> list[BuildId]:
    return [BuildId(name) for name in names]


def test_those_that_served_last_stay_before_newer_ones_that_never_did() -> None:
    artifacts = [(build, Slug(build)) for build in builds("e", "d", "c", "b", "a")]
    gone = superfluous(artifacts, needed=builds("c"), served=builds("c", "a"), keep=3)
    assert gone == builds("d", "b")


def test_what_is_needed_stays_whatever_the_number() -> None:
    artifacts = [(build, Slug(build)) for build in builds("c", "b", "a")]
    assert superfluous(artifacts, needed=builds("a", "b"), served=(), keep=1) == builds("c")


def test_builds_of_one_artifact_stay_and_count_together() -> None:
    artifacts = [(BuildId("c"), Slug("same")), (BuildId("b"), Slug("same")), (BuildId("a"), Slug("other"))]
    assert superfluous(artifacts, needed=(), served=builds("b", "a"), keep=2) == []
    assert superfluous(artifacts, needed=(), served=builds("b", "a"), keep=1) == builds("a")


async def test_a_push_prunes_what_is_over_the_number_and_rollback_reaches_the_rest(stage: Stage) -> None:
    names = ("aaaaaaa", "bbbbbbb", "ccccccc", "ddddddd", "eeeeeee")
    for name in names:
        await stage.push(name)
    await eventually_async(lambda: _removed(stage, 2))
    app = stage.store.apps.get_by_id(stage.app.id)
    targets = {stage.store.releases.get_by_id(id).version for id in stage.service.rollback_targets(app)}
    assert targets == {3, 4}
    await stage.roll_back("v3")
    assert stage.serves() == "v6: Rollback to v3"


async def test_what_a_rollback_alone_would_go_back_to_is_kept_whatever_the_number(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    await stage.service.collect_garbage(dry_run=False, keep=1)
    preview = await stage.service.rollback_preview(stage.app, None)
    assert preview.target.version == 2
    with pytest.raises(ArtifactGoneError, match=r"v1 was pruned.*Push commit aaaaaaa again"):
        await stage.roll_back("v1")


async def test_a_dry_run_only_names_what_would_go(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    named = await stage.service.collect_garbage(dry_run=True, keep=1)
    assert [each.kind for each in named] == ["artifact"]
    assert stage.builds.removed == []
    assert await stage.service.collect_garbage(dry_run=False, keep=1) == named
    assert [artifact.key for artifact in stage.builds.removed if isinstance(artifact, Slug)] == [
        named[0].name
    ]
    assert await stage.service.collect_garbage(dry_run=True, keep=1) == []


async def test_an_app_that_is_being_deployed_is_left_alone(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    async with stage.deployer.leases.enter(stage.app, who="a push", wait=60):
        assert await stage.service.collect_garbage(dry_run=False, keep=1) == []


async def test_all_artifacts_of_a_destroyed_app_go(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb"):
        await stage.push(name)
    await stage.repositories.ensure(stage.app.id)
    await stage.service.destroy_app(stage.app, actor="me")
    await eventually_async(lambda: _removed(stage, 2))
    assert stage.store.builds.artifacts() == []


async def test_folders_that_nothing_points_to_go_when_they_are_old(stage: Stage) -> None:
    home, living = stage.settings.home, stage.app.id
    for path in (
        home / "repositories" / f"{'0' * 16}.git",
        home / "repositories" / f"{living}.git",
        home / "repositories" / "hooks",
        home / "logs" / ("0" * 16),
    ):
        path.mkdir(parents=True)
    old, new = _output(home, "old"), _output(home, "new")
    os.utime(old, (0, 0))
    collected = await stage.service.collect_garbage(dry_run=False, keep=None)
    assert {(each.kind, each.name) for each in collected} == {
        ("repository", f"{'0' * 16}.git"),
        ("log", "0" * 16),
        ("output", old.name),
    }
    assert new.exists()
    assert (home / "repositories" / f"{living}.git").exists()


async def test_what_an_app_has_that_is_being_destroyed_is_left_to_its_destruction(stage: Stage) -> None:
    home, app = stage.settings.home, stage.app.id
    folders = [home / "repositories" / f"{app}.git", home / "logs" / app]
    for path in folders:
        path.mkdir(parents=True)
    async with stage.deployer.leases.enter(stage.app, who="its destruction", wait=60):
        stage.store.apps.destroy(app, actor="tester")
        assert await stage.service.collect_garbage(dry_run=False, keep=None) == []
        assert all(path.exists() for path in folders)
    collected = await stage.service.collect_garbage(dry_run=False, keep=None)
    assert [each.kind for each in collected] == ["repository", "log"]


async def test_the_hourly_round_finishes_a_destruction_that_was_interrupted(stage: Stage) -> None:
    home, app = stage.settings.home, stage.app.id
    folders = [home / "repositories" / f"{app}.git", home / "logs" / app]
    for path in folders:
        path.mkdir(parents=True)
    stage.supervisor.unroutable = OperationTimedOutError()
    with pytest.raises(OperationTimedOutError):
        await stage.service.destroy_app(stage.app, actor="me")
    assert all(path.exists() for path in folders)
    await stage.deployer.retention.prune_all_soon()
    await stage.deployer.retention.close()
    assert [path for path in folders if path.exists()] == []


async def test_what_a_destroyed_app_has_stays_while_an_instance_of_it_runs(stage: Stage) -> None:
    log = stage.settings.home / "logs" / stage.app.id
    log.mkdir(parents=True)
    await stage.push("aaaaaaa")
    release = stage.current()
    assert release
    running = stage.store.instances.begin(
        app=stage.app.id,
        release=release,
        type=ProcessType("web"),
        index=1,
        epoch=0,
        cause="a start",
        wants_port=False,
        restarts=0,
        streak=0,
        one_off=False,
        boot_id="boot",
    )
    stage.store.apps.destroy(stage.app.id, actor="me")
    assert await stage.service.collect_garbage(dry_run=False, keep=None) == []
    assert log.exists()
    stage.store.instances.ended(running.id, ExitStatus(0), cause="stopped")
    await stage.deployer.retention.prune_all_soon()
    await stage.deployer.retention.close()
    assert not log.exists()


async def test_what_is_gone_before_it_is_removed_is_no_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stage.settings.home / "repositories" / f"{'0' * 16}.git"
    (folder / "objects").mkdir(parents=True)
    rmtree = shutil.rmtree

    def late(path: Path, **options: Any) -> None:
        rmtree(path)
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", late)
    collected = await stage.service.collect_garbage(dry_run=False, keep=None)
    assert [each.kind for each in collected] == ["repository"]


async def test_an_artifact_is_named_with_its_app_and_commit_and_an_image_with_no_size(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    (slug,) = await stage.service.collect_garbage(dry_run=True, keep=1)
    assert (slug.origin, slug.bytes) == (f"shop {commit('aaaaaaa')[:7]}", 0)
    image = Image("sha256:old", "mini/home/app:old")
    stage.builds.unrecorded = {image: SystemClock().now() - timedelta(hours=2)}
    named = (await stage.service.collect_garbage(dry_run=True, keep=1))[1]
    assert (named.name, named.bytes, named.origin) == ("sha256:old", None, "")


async def test_what_was_built_and_never_recorded_goes_once_it_is_old(stage: Stage) -> None:
    now = SystemClock().now()
    old, fresh = Slug("old"), Slug("fresh")
    stage.builds.unrecorded = {old: now - timedelta(hours=2), fresh: now}
    named = await stage.service.collect_garbage(dry_run=True, keep=None)
    assert [(each.kind, each.name) for each in named] == [("artifact", "old")]
    assert stage.builds.removed == []
    await stage.push("aaaaaaa")
    await eventually_async(lambda: _removed(stage, 1))
    assert stage.builds.removed == [old]


async def test_the_hourly_round_removes_what_no_app_has_where_there_is_no_app(stage: Stage) -> None:
    stage.builds.unrecorded = {Slug("old"): SystemClock().now() - timedelta(hours=2)}
    stage.builds.excess = 700
    await stage.deployer.retention.prune_all_soon()
    await eventually_async(lambda: _removed(stage, 1))
    await eventually_async(lambda: _trimmed(stage))


async def test_what_cannot_be_removed_holds_up_nothing_else(stage: Stage) -> None:
    long_ago = SystemClock().now() - timedelta(hours=2)
    broken, old = Slug("broken"), Slug("old")
    for name in ("aaaaaaa", "bbbbbbb"):
        await stage.push(name)
    first = stage.store.builds.list(stage.app.id)[-1].artifact
    assert first
    stage.builds.broken_artifacts = {first, broken}
    stage.builds.unrecorded = {broken: long_ago, old: long_ago}
    stage.builds.excess = 700
    await stage.repositories.ensure(stage.app.id)
    await stage.service.destroy_app(stage.app, actor="me")
    await eventually_async(lambda: _trimmed(stage))
    assert old in stage.builds.removed


async def test_the_end_of_the_server_waits_for_what_is_being_removed(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.repositories.ensure(stage.app.id)
    await stage.service.destroy_app(stage.app, actor="me")
    await stage.deployer.retention.close()
    assert len(stage.builds.removed) == 1


async def test_only_what_was_removed_is_told(stage: Stage) -> None:
    long_ago = SystemClock().now() - timedelta(hours=2)
    idle, used = Slug("idle"), Slug("used")
    stage.builds.unrecorded = {idle: long_ago, used: long_ago}
    stage.builds.used = {used}
    named = await stage.service.collect_garbage(dry_run=False, keep=None)
    assert [(each.kind, each.name) for each in named] == [("artifact", "idle")]


async def test_what_the_cache_of_builds_has_too_much_goes_with_a_push_or_is_told(stage: Stage) -> None:
    stage.builds.excess = 700
    for dry_run in (True, False):
        named = await stage.service.collect_garbage(dry_run=dry_run, keep=None)
        assert [(each.kind, each.bytes) for each in named] == [("cache", 700)]
    assert await stage.service.collect_garbage(dry_run=False, keep=None) == []
    stage.builds.excess = 700
    await stage.push("aaaaaaa")
    await eventually_async(lambda: _trimmed(stage))


async def test_another_apps_artifacts_do_not_count(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    other = stage.store.apps.create(AppName("blog"))
    await stage.builds.build(
        other, commit=commit("bbbbbbb"), ref="main", actor="me", no_cache=False, output=print
    )
    assert await stage.service.collect_garbage(dry_run=True, keep=1) == []


def _output(home: Path, name: str) -> Path:
    path = home / "outputs" / "deployments" / f"{name}.ndjson"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    return path


async def _trimmed(stage: Stage) -> bool:
    return stage.builds.excess == 0


async def _removed(stage: Stage, count: int) -> bool:
    return len(stage.builds.removed) == count
