"""Deployments with a real supervisor: what runs, and under which pid, before and after."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paas.domain.event import EventKind
from paas.domain.release import DeploymentState
from tests.unit.releases.town import Town

pytestmark = pytest.mark.anyio


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    await town.start()
    yield town
    await town.close()


async def test_a_push_replaces_all_types_of_the_old_release(town: Town) -> None:
    await town.push("aaaaaaa")
    await town.over(town.service.scale(town.app, ["web=2", "worker=1"], wait=True, actor="me"))
    await town.push("bbbbbbb")
    await town.settle()
    assert set(town.running()) == {("web.1", 2), ("web.2", 2), ("worker.1", 2)}
    assert town.routing.backends("shop.localhost") == ["web.1 v2", "web.2 v2"]


async def test_what_does_not_become_healthy_leaves_every_pid_as_it_was(town: Town) -> None:
    await town.push("aaaaaaa")
    await town.over(town.service.scale(town.app, ["worker=2"], wait=True, actor="me"))
    before = town.running()
    town.sicken("bbbbbbb")
    ended = await town.push("bbbbbbb")
    assert ended.code == "not_healthy"
    await town.settle()
    assert town.running() == before


async def test_the_release_commands_lines_go_to_the_output_and_the_apps_log(town: Town) -> None:
    town.spoil("aaaaaaa")
    ended = await town.push("aaaaaaa")
    assert ended.reason == "release command failed (exit 3)"
    told = [line.text async for line in town.deployer.output(ended.id)]
    assert told[-2:] == ["cannot migrate", "release command failed (exit 3)"]
    assert "cannot migrate" in town.lines.said("release.1", source="app")
    assert town.running() == {}


async def test_a_release_that_crashes_again_and_again_is_gone_back_from(town: Town) -> None:
    await town.push("aaaaaaa")
    await town.push("bbbbbbb")
    await town.settle()
    for _ in range(3):
        await town.clock.until(lambda: ("web.1", 2) in town.running())
        victim = next(each for each in town.engine.machine.instances.values() if each.running)
        town.engine.crash(victim.spec.id)
        await town.clock.until(lambda gone=victim: not gone.running)  # type: ignore[misc]  # bound at once
    await town.clock.until(lambda: _version(town) == 3)
    await town.settle()
    assert set(town.running()) == {("web.1", 3)}
    kinds = [event.kind for event in town.store.events.list(town.app.id, limit=1000)]
    assert kinds.count(EventKind.RELEASE_REVERTED) == 1


async def test_a_control_plane_that_dies_amid_a_push_undoes_it(tmp_path: Path) -> None:
    town = Town(tmp_path)
    await town.start()  # here, not in a fixture: a crash ends every task that was not there before
    await town.push("aaaaaaa")
    await town.settle()
    before = town.running()
    town.never_listen("bbbbbbb")
    started = await town.begin_push("bbbbbbb")
    await town.clock.until(lambda: ("web.1", 2) in town.running())
    await town.crash()
    await town.settle()
    ended = town.store.deployments.get(town.app.id, started.id)
    assert (ended.state, ended.reason) == (DeploymentState.FAILED, "the control plane was restarted")
    assert town.running() == before
    await town.close()


def _version(town: Town) -> int:
    release = town.current()
    return release.version if release else 0
