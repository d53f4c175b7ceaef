"""Ends that cannot be written down for a while: another program holds the database, or the disk is full."""

import asyncio
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import pytest

from paas.domain.build import BuildState
from paas.domain.release import Deployment, DeploymentKind, DeploymentState
from paas.errors import ConflictError, DiskFullError
from paas.store import connections
from paas.store.errors import BusyStoreError
from paas.testing.clock import FakeClock
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit

pytestmark = pytest.mark.anyio

T = TypeVar("T")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0)
    return FakeClock()


@contextmanager
def held_by_another_program(stage: Stage) -> Iterator[None]:
    """Let another program hold the database: nothing can be written meanwhile."""
    with closing(sqlite3.connect(stage.settings.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def candidate(stage: Stage, clock: FakeClock) -> Deployment:
    """Begin a push, and return when its release is started; it fails once `gate` is set."""
    stage.supervisor.sick.add(1)
    stage.supervisor.gate = asyncio.Event()
    begun = await stage.begin_push("aaaaaaa")
    await clock.until(lambda: stage.supervisor.asked == ["healthy v1"])
    return begun


def let_fail(stage: Stage) -> None:
    assert stage.supervisor.gate
    stage.supervisor.gate.set()


async def over(waited_for: Coroutine[None, None, T], clock: FakeClock) -> T:
    task = asyncio.ensure_future(waited_for)
    await clock.until(task.done)
    return task.result()


async def not_recorded_yet(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Return when recording the end was tried several times."""
    await clock.until(lambda: "not recorded yet" in caplog.text, within=1)
    await clock.pass_by(5)


async def test_a_failure_is_recorded_once_the_database_is_free_again(
    stage: Stage, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await candidate(stage, clock)
    ended = asyncio.create_task(stage.deployer.wait(begun))
    with held_by_another_program(stage):
        let_fail(stage)
        await not_recorded_yet(clock, caplog)
        assert not ended.done()
        with pytest.raises(ConflictError, match="about to end"):
            await stage.deployer.cancel(stage.app, begun)
    failed = await over(stage.deployer.wait(begun), clock)
    assert (failed.state, failed.code) == (DeploymentState.FAILED, "not_healthy")
    assert stage.store.releases.candidates() == []
    assert (await stage.output(begun))[-1] == "web.1 exited (exit 1) before it was healthy"
    await ended


async def test_the_next_one_begins_when_the_failure_is_recorded(
    stage: Stage, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    await candidate(stage, clock)
    second = await stage.begin_push("bbbbbbb")
    with held_by_another_program(stage):
        let_fail(stage)
        await not_recorded_yet(clock, caplog)
        assert stage.deployer.leases.holder(stage.app.id) == "the push of aaaaaaa by me"
    ended = await over(stage.deployer.wait(second), clock)
    assert ended.state is DeploymentState.SUCCEEDED
    assert stage.serves() == "v2: Deploy bbbbbbb"


async def test_a_server_that_stops_leaves_what_it_cannot_record_to_the_next_start(
    stage: Stage, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await candidate(stage, clock)
    with held_by_another_program(stage):
        let_fail(stage)
        await not_recorded_yet(clock, caplog)
        await over(stage.deployer.close(), clock)
        assert [each.id for each in stage.store.deployments.open()] == [begun.id]
    await stage.deployer.recover()
    assert stage.store.deployments.get(stage.app.id, begun.id).state is DeploymentState.FAILED


async def test_a_server_starts_on_a_disk_that_was_full_once_the_store_has_made_room(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = stage.store.builds.begin(
        stage.app.id, commit=commit("aaaaaaa"), ref="main", builder="x", actor="me"
    )
    deployment = stage.store.deployments.begin(stage.app.id, kind=DeploymentKind.PUSH, actor="me")
    for noun in (stage.store.builds, stage.store.deployments):
        monkeypatch.setattr(noun, "fail", _full_at_first(noun.fail))
    await stage.deployer.recover()
    assert stage.store.builds.get_by_id(build.id).state is BuildState.FAILED
    assert stage.store.deployments.get(stage.app.id, deployment.id).state is DeploymentState.FAILED
    assert await stage.output(deployment) == ["The control plane was restarted; nothing was changed."]


async def test_a_server_that_cannot_record_what_a_crash_left_says_so_after_a_while(
    stage: Stage, clock: FakeClock
) -> None:
    stage.store.deployments.begin(stage.app.id, kind=DeploymentKind.PUSH, actor="me")
    with held_by_another_program(stage), pytest.raises(BusyStoreError, match="Another program holds"):
        await over(stage.deployer.recover(), clock)


def _full_at_first(call: Any) -> Any:
    tries = iter((False, True))

    def fail(*args: Any, **details: Any) -> object:
        if next(tries):
            return call(*args, **details)
        raise DiskFullError

    return fail
