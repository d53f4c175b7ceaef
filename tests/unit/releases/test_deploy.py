"""The story of a deployment, and every way in which it ends early."""

import asyncio
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest

from paas.domain.event import EventKind
from paas.domain.ids import AppId
from paas.domain.names import ProcessType
from paas.domain.process import Manifest, Procfile
from paas.domain.release import Deployment, DeploymentKind, DeploymentState, ReleaseKind
from paas.errors import ArtifactGoneError, ConflictError, InvalidError, LeaseHeldError, UnreachableError
from paas.store.errors import DamagedStoreError
from paas.testing.behaviour import Behaviour
from tests.eventually import eventually_async
from tests.unit.paas.store.intrusion import without_triggers
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit, manifest

pytestmark = pytest.mark.anyio


async def test_a_push_becomes_a_release_that_serves(stage: Stage) -> None:
    ended = await stage.push("aaaaaaa")
    assert ended.state is DeploymentState.SUCCEEDED
    assert stage.serves() == "v1: Deploy aaaaaaa"
    assert stage.supervisor.asked == ["healthy v1", "routed"]
    assert stage.store.formations.get(stage.app.id) == {"web": 1, "worker": 0}


async def test_the_output_tells_the_story(stage: Stage) -> None:
    stage.builds.manifests[commit("bbbbbbb")] = manifest(web="serve", worker="work", release="migrate")
    stage.supervisor.behaviours["migrate"] = Behaviour(prints=("migrating",), exits=0)
    await stage.push("aaaaaaa")
    ended = await stage.push("bbbbbbb")
    told = [line.rsplit(" in ", 1)[0] for line in await stage.output(ended)]
    assert told == [
        "Building bbbbbbb (main)",
        "fetching what it needs",
        "Built",
        "Release phase: migrate",
        "migrating",
        "Starting web.1",
        "Healthy",
    ]
    assert (await stage.output(ended))[-1].endswith(", v1 drained")


async def test_the_message_of_a_push_goes_into_the_description(stage: Stage) -> None:
    await stage.push("aaaaaaa", message="the new\nbasket")
    assert stage.serves() == "v1: Deploy aaaaaaa: the new basket"


async def test_a_deployment_whose_beginning_is_being_written_when_it_is_cancelled_has_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, gate = Event(), Event()
    begin = stage.store.deployments.begin

    def slow(app: AppId, *, kind: DeploymentKind, actor: str, state: DeploymentState) -> Deployment:
        writing.set()
        gate.wait()
        return begin(app, kind=kind, actor=actor, state=state)

    monkeypatch.setattr(stage.store.deployments, "begin", slow)
    task = asyncio.create_task(stage.begin_push("aaaaaaa"))
    await asyncio.to_thread(writing.wait)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.store.deployments.open() == []
    monkeypatch.undo()
    assert (await stage.push("aaaaaaa")).state is DeploymentState.SUCCEEDED


async def test_what_runs_already_is_not_built_again(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    started = await stage.begin_push("aaaaaaa")
    assert (started.state, started.release) == (DeploymentState.SUCCEEDED, None)
    assert "already runs as v1" in started.reason
    assert len(stage.store.builds.list(stage.app.id)) == len(stage.versions()) == 1


async def test_what_runs_already_is_built_again_once_its_artifact_was_removed(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.builds.gone.update(artifact for _, _, artifact in stage.store.builds.artifacts())
    await stage.push("aaaaaaa")
    assert stage.serves() == "v2: Deploy aaaaaaa"


async def test_without_the_cache_what_runs_already_is_built_and_released_again(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.push("aaaaaaa", no_cache=True)
    assert stage.serves() == "v2: Deploy aaaaaaa"
    assert len(stage.store.builds.list(stage.app.id)) == 2


async def test_another_builder_builds_and_releases_the_same_commit_again(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.builds.builder = "fake/2"
    await stage.push("aaaaaaa")
    assert stage.serves() == "v2: Deploy aaaaaaa"


async def test_a_build_that_is_there_is_used_again(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "aaaaaaa"):
        ended = await stage.push(name)
    assert stage.serves() == "v3: Deploy aaaaaaa"
    assert len(stage.store.builds.list(stage.app.id)) == 2
    assert any("nothing to build" in line for line in await stage.output(ended))


# -- what fails before the switch changes nothing ------------------------------------------------------------------


async def test_a_failed_build_takes_no_number(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.builds.broken.add(commit("bbbbbbb"))
    ended = await stage.push("bbbbbbb")
    assert (ended.state, ended.code) == (DeploymentState.FAILED, "build_failed")
    assert ended.reason == "it does not compile"
    assert stage.versions() == [1]
    await stage.push("ccccccc")
    assert stage.serves() == "v2: Deploy ccccccc"


async def test_a_failed_release_command_keeps_its_number_and_the_old_release_serving(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.builds.manifests[commit("bbbbbbb")] = manifest(web="serve", release="migrate")
    stage.supervisor.behaviours["migrate"] = Behaviour(exits=3)
    ended = await stage.push("bbbbbbb")
    assert (ended.code, ended.reason) == ("release_failed", "release command failed (exit 3)")
    assert stage.serves() == "v1: Deploy aaaaaaa"
    assert stage.versions() == [2, 1]
    assert "healthy v2" not in stage.supervisor.asked


async def test_a_release_that_is_not_healthy_leaves_the_old_one_serving(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.supervisor.sick.add(2)
    nudges = stage.supervisor.nudges
    ended = await stage.push("bbbbbbb")
    assert ended.code == "not_healthy"
    assert stage.serves() == "v1: Deploy aaaaaaa"
    assert stage.store.releases.candidates() == []
    assert stage.supervisor.nudges > nudges
    assert [event.kind for event in stage.store.events.list(stage.app.id, limit=100)].count(
        EventKind.DEPLOYMENT_FAILED
    ) == 1


async def test_the_config_of_a_failed_release_is_not_carried_on(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.supervisor.sick.add(2)
    await stage.configure(BROKEN="1")
    await stage.configure(GOOD="1")
    assert stage.serves() == "v3: Set GOOD config var"
    assert stage.config() == {"GOOD": "1"}


async def test_a_first_formation_that_never_served_is_forgotten(stage: Stage) -> None:
    procfile = Procfile({ProcessType("web"): "serve", ProcessType("clock"): "tick"})
    stage.builds.manifests[commit("aaaaaaa")] = Manifest(procfile, formation={ProcessType("web"): 50})
    stage.builds.manifests[commit("bbbbbbb")] = Manifest(procfile, formation={ProcessType("web"): 2})
    stage.supervisor.sick.add(1)
    await stage.push("aaaaaaa")
    await stage.push("bbbbbbb")
    assert stage.store.formations.get(stage.app.id) == {"web": 2, "clock": 0}


async def test_a_mistake_of_ours_ends_the_deployment_too(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    stage.supervisor.healthy = broken  # type: ignore[method-assign]  # the double is ours to bend
    started = await stage.begin_push("aaaaaaa")
    story = stage.deployer._underway[started.id]
    ended = await stage.deployer.wait(started)
    assert (ended.state, ended.code) == (DeploymentState.FAILED, "internal")
    assert story.task
    with pytest.raises(ZeroDivisionError):
        await story.task
    assert "mistake" in caplog.text


async def test_a_router_that_does_not_answer_fails_nothing(stage: Stage) -> None:
    stage.supervisor.unroutable = UnreachableError()
    ended = await stage.push("aaaaaaa")
    assert ended.state is DeploymentState.SUCCEEDED
    assert stage.serves() == "v1: Deploy aaaaaaa"


# -- config --------------------------------------------------------------------------------------------------------


async def test_a_config_change_is_one_release_without_a_build(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.configure(A="1", B="2")
    assert stage.serves() == "v2: Set A, B config vars"
    assert stage.config() == {"A": "1", "B": "2"}
    assert len(stage.store.builds.list(stage.app.id)) == 1
    await stage.configure(A=None)
    assert stage.serves() == "v3: Remove A config var"


async def test_equal_values_are_no_change(stage: Stage) -> None:
    await stage.configure(A="1")
    started = await stage.deployer.set_config(stage.app, changes={"A": "1"}, wait_lock=0, actor="me")
    assert (started.state, started.reason) == (DeploymentState.SUCCEEDED, "no change, still v1")
    assert stage.versions() == [1]


async def test_config_before_the_first_build_starts_nothing_and_is_kept_for_it(stage: Stage) -> None:
    await stage.configure(A="1")
    assert stage.serves() == "v1: Set A config var"
    assert stage.supervisor.asked == []
    await stage.push("aaaaaaa")
    assert stage.serves() == "v2: Deploy aaaaaaa"
    assert stage.config() == {"A": "1"}
    with pytest.raises(InvalidError, match="before the first build"):
        await stage.roll_back("v1")


async def test_the_release_command_runs_on_a_config_change_and_a_rollback(stage: Stage) -> None:
    stage.builds.manifests[commit("aaaaaaa")] = manifest(web="serve", release="migrate")
    await stage.push("aaaaaaa")
    await stage.configure(A="1")
    await stage.roll_back("v1")
    assert [each for each in stage.supervisor.asked if each.startswith("attach")] == [
        f"attach release v{version}: migrate" for version in (1, 2, 3)
    ]
    assert all(one_off.left for one_off in stage.supervisor.one_offs)


async def test_a_bad_config_name_is_refused_before_anything_is_made(stage: Stage) -> None:
    with pytest.raises(InvalidError):
        await stage.configure(**{"A-B": "1"})
    assert stage.store.deployments.list(stage.app.id, limit=10) == []


# -- rollback --------------------------------------------------------------------------------------------------------


async def test_a_rollback_releases_nothing_whose_content_was_changed(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.push("bbbbbbb")
    with without_triggers(stage.settings) as connection:
        connection.execute("UPDATE builds SET manifest = replace(manifest, 'serve', 'steal')")
    with pytest.raises(DamagedStoreError, match="v1 was changed"):
        await stage.roll_back("v1")
    assert stage.versions() == [2, 1]


async def test_a_rollback_is_a_new_release_with_the_old_build_and_config(stage: Stage) -> None:
    await stage.configure(A="1")
    await stage.push("aaaaaaa")
    await stage.push("bbbbbbb")
    await stage.configure(A="2")
    await stage.roll_back("v2")
    assert stage.serves() == "v5: Rollback to v2"
    old, new = stage.store.releases.get(stage.app.id, 2), stage.store.releases.get(stage.app.id, 5)
    assert (new.kind, new.origin) == (ReleaseKind.ROLLBACK, 2)
    assert (new.build, new.config, new.manifest) == (old.build, old.config, old.manifest)


async def test_rolling_back_again_goes_further_back_and_never_forward(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    await stage.roll_back()
    assert stage.serves() == "v4: Rollback to v2"
    await stage.roll_back()
    assert stage.serves() == "v5: Rollback to v1"
    with pytest.raises(InvalidError, match="no earlier release than v1"):
        await stage.roll_back()


async def test_a_failed_release_is_skipped_and_refused_as_a_target(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.supervisor.sick.add(2)
    await stage.push("bbbbbbb")
    await stage.push("ccccccc")
    with pytest.raises(InvalidError, match="v2 never served"):
        await stage.roll_back("v2")
    await stage.roll_back()
    assert stage.serves() == "v4: Rollback to v1"


async def test_the_release_that_serves_is_no_target(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    for reference in ("v1", "@"):
        with pytest.raises(InvalidError, match="v1 is the release of shop that serves now"):
            await stage.roll_back(reference)


async def test_a_rollback_whose_artifact_is_gone_takes_no_number(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb"):
        await stage.push(name)
    for _, _, artifact in stage.store.builds.artifacts():
        stage.builds.gone.add(artifact)
    with pytest.raises(ArtifactGoneError, match="Push commit aaaaaaa again"):
        await stage.roll_back("v1")
    assert stage.versions() == [2, 1]
    assert len(stage.store.deployments.list(stage.app.id, limit=10)) == 2


# -- the queue -------------------------------------------------------------------------------------------------------


async def test_releasing_commands_queue_and_start_from_what_serves_then(stage: Stage) -> None:
    stage.builds.gate = asyncio.Event()
    pushing = await stage.begin_push("aaaaaaa")
    configuring = await stage.deployer.set_config(stage.app, changes={"A": "1"}, wait_lock=60, actor="me")
    assert configuring.state is DeploymentState.QUEUED
    stage.builds.gate.set()
    await stage.deployer.wait(configuring)
    assert stage.serves() == "v2: Set A config var"
    current = stage.current()
    assert current
    assert current.commit == commit("aaaaaaa")
    assert (await stage.output(configuring))[0] == "Waiting for the push of aaaaaaa by me"
    assert (await stage.deployer.wait(pushing)).state is DeploymentState.SUCCEEDED


async def test_a_queued_push_of_what_runs_by_then_says_so_in_the_words_of_its_reason(stage: Stage) -> None:
    stage.builds.gate = asyncio.Event()
    await stage.begin_push("aaaaaaa")
    queued = await stage.begin_push("aaaaaaa")
    stage.builds.gate.set()
    ended = await stage.deployer.wait(queued)
    assert ended.reason == f"{commit('aaaaaaa')[:7]} already runs as v1: nothing to build, no new release"
    assert (await stage.output(queued))[-1] == ended.reason


async def test_not_to_wait_for_the_lease_makes_no_deployment(stage: Stage) -> None:
    stage.builds.gate = asyncio.Event()
    await stage.begin_push("aaaaaaa")
    with pytest.raises(LeaseHeldError, match="the push of aaaaaaa by me"):
        await stage.begin_push("bbbbbbb", wait=0)
    assert len(stage.store.deployments.list(stage.app.id, limit=10)) == 1


async def test_the_wait_for_the_lease_ends(stage: Stage) -> None:
    stage.builds.gate = asyncio.Event()
    await stage.begin_push("aaaaaaa")
    ended = await stage.deployer.wait(await stage.begin_push("bbbbbbb", wait=0.01))
    assert (ended.state, ended.code) == (DeploymentState.FAILED, "lease_held")


# -- cancel ----------------------------------------------------------------------------------------------------------


async def test_a_deployment_is_cancelled_while_it_waits_builds_releases_or_starts(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    stage.builds.manifests[commit("ccccccc")] = manifest(web="serve", release="migrate")
    stage.supervisor.behaviours["migrate"] = Behaviour()
    stage.builds.gate = asyncio.Event()
    building = await stage.begin_push("bbbbbbb")
    waiting = await stage.begin_push("ddddddd")
    await stage.deployer.cancel(stage.app, waiting)
    await stage.deployer.cancel(stage.app, building)
    stage.builds.gate = None
    releasing = await stage.begin_push("ccccccc")
    await eventually_async(lambda: _runs_a_one_off(stage))
    await stage.deployer.cancel(stage.app, releasing)
    assert stage.supervisor.one_offs[-1].left
    stage.supervisor.gate = asyncio.Event()
    starting = await stage.begin_push("eeeeeee")
    await eventually_async(lambda: _in_state(stage, DeploymentState.STARTING))
    await stage.deployer.cancel(stage.app, starting)
    for each in (waiting, building, releasing, starting):
        ended = await stage.deployer.wait(each)
        assert (ended.state, ended.code) == (DeploymentState.CANCELLED, "cancelled")
    assert stage.serves() == "v1: Deploy aaaaaaa"
    assert stage.store.releases.candidates() == []


async def test_after_the_switch_it_is_too_late_to_cancel(stage: Stage) -> None:
    ended = await stage.push("aaaaaaa")
    with pytest.raises(ConflictError, match="cannot be cancelled any more"):
        await stage.deployer.cancel(stage.app, ended)


# -- going back by itself ----------------------------------------------------------------------------------------------


async def test_an_unstable_release_is_gone_back_from_once_without_a_release_command(stage: Stage) -> None:
    stage.builds.manifests[commit("aaaaaaa")] = manifest(web="serve", release="migrate")
    for name in ("aaaaaaa", "bbbbbbb"):
        await stage.push(name)
    unstable = stage.current()
    assert unstable
    for _ in range(2):
        stage.supervisor.crash_again_and_again(stage.app.id, unstable.id)
    await eventually_async(lambda: _serves(stage, "v3: Rollback to v1"))
    reverted = stage.store.deployments.list(stage.app.id, limit=1)[0]
    await stage.deployer.wait(reverted)
    assert (reverted.kind, reverted.actor) == (DeploymentKind.REVERT, "mini")
    assert [each for each in stage.supervisor.asked if each.startswith("attach")] == [
        "attach release v1: migrate"
    ]
    (event,) = [
        event
        for event in stage.store.events.list(stage.app.id, limit=100)
        if event.kind is EventKind.RELEASE_REVERTED
    ]
    assert event.details == {"from": 2, "to": 1, "release": 3}
    assert "crashed 3 times" in event.cause


async def test_a_way_back_that_is_unstable_too_is_not_gone_back_from(stage: Stage) -> None:
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    for expected in ("v4: Rollback to v2", "v4: Rollback to v2"):
        unstable = stage.current()
        assert unstable
        stage.supervisor.crash_again_and_again(stage.app.id, unstable.id)
        await eventually_async(lambda wanted=expected: _serves(stage, wanted))  # type: ignore[misc]  # bound at once
    await stage.deployer.close()
    assert stage.versions()[0] == 4


# -- a crash -----------------------------------------------------------------------------------------------------------


async def test_what_a_crash_left_half_done_has_failed_at_the_next_start(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    deployment = stage.store.deployments.begin(stage.app.id, kind=DeploymentKind.PUSH, actor="me")
    build = stage.store.builds.begin(
        stage.app.id, commit=commit("bbbbbbb"), ref="main", builder="x", actor="me"
    )
    await stage.deployer.recover()
    ended = stage.store.deployments.get(stage.app.id, deployment.id)
    assert (ended.state, ended.reason) == (DeploymentState.FAILED, "the control plane was restarted")
    assert stage.store.builds.get_by_id(build.id).reason == "the control plane was restarted"
    assert await stage.output(deployment) == ["The control plane was restarted; nothing was changed."]
    assert stage.serves() == "v1: Deploy aaaaaaa"


async def test_closing_cancels_what_has_not_switched(stage: Stage) -> None:
    stage.builds.gate = asyncio.Event()
    building, waiting = await stage.begin_push("aaaaaaa"), await stage.begin_push("bbbbbbb")
    await stage.deployer.close()
    for each in (building, waiting):
        ended = stage.store.deployments.get(stage.app.id, each.id)
        assert ended.state is DeploymentState.CANCELLED
        assert ended.reason.startswith("The server was stopped meanwhile; nothing was changed.")


async def _in_state(stage: Stage, state: DeploymentState) -> bool:
    return stage.store.deployments.list(stage.app.id, limit=1)[0].state is state


async def _runs_a_one_off(stage: Stage) -> bool:
    return bool(stage.supervisor.one_offs)


async def _serves(stage: Stage, wanted: str) -> bool:
    return stage.serves() == wanted


async def test_who_follows_a_deployment_while_a_crash_is_recovered_from_hears_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.push("aaaaaaa")
    deployment = stage.store.deployments.begin(stage.app.id, kind=DeploymentKind.PUSH, actor="me")
    loop, fail = asyncio.get_running_loop(), stage.store.deployments.fail
    heard: list[Future[list[str]]] = []

    def fail_and_follow(*args: Any, **details: Any) -> object:
        failed = fail(*args, **details)
        heard.append(asyncio.run_coroutine_threadsafe(stage.output(deployment), loop))
        return failed

    monkeypatch.setattr(stage.store.deployments, "fail", fail_and_follow)
    await stage.deployer.recover()

    (lines,) = heard
    assert await asyncio.wrap_future(lines) == ["The control plane was restarted; nothing was changed."]
