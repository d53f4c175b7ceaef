"""The whole supervisor: real store, fake engine, fake time."""

import errno
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, Identity, InstanceSpec
from paas.errors import NotHealthyError
from paas.testing.behaviour import Behaviour, OnTerm
from tests.unit.paas.supervisor.house import House, a_house

pytestmark = pytest.mark.anyio

WEB = {"web": "serve"}
BOTH = {"web": "serve", "worker": "work"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as house:
        yield house


async def test_a_deployment_starts_all_types_and_routes_to_web_after_the_switch(house: House) -> None:
    house.scale(web=2, worker=1)
    release = house.release(BOTH)
    await house.healthy(release)
    assert house.routing.backends("shop.localhost") == []

    house.switch(release)
    await house.while_time_passes(house.supervisor.routed(house.app.id))

    assert house.routing.backends("shop.localhost") == ["web.1 v1", "web.2 v1"]
    assert house.shown() == {"web.1": "up", "web.2": "up", "worker.1": "up"}
    assert house.lines.said("web.1")[-1] == "State changed from starting to up"


async def test_the_old_release_is_drained_and_stopped_after_the_switch(house: House) -> None:
    house.scale(web=1, worker=1)
    old = await house.deploy(BOTH)
    house.routing.busy[house.running()["web.1"]] = 2
    new = house.release(BOTH)
    await house.healthy(new)
    assert len(house.running(old)) == 2

    house.switch(new)
    await house.while_time_passes(house.supervisor.routed(house.app.id))
    assert house.routing.backends("shop.localhost") == ["web.1 v2"]
    await house.clock.pass_by(5)
    assert list(house.running(old)) == ["web.1"]

    house.routing.busy.clear()
    await house.clock.until(lambda: not house.running(old), within=5)
    assert sorted(house.running(new)) == ["web.1", "worker.1"]


async def test_a_drain_ends_at_its_limit_and_cuts_what_is_left(house: House) -> None:
    house.scale(web=1)
    old = await house.deploy(WEB)
    id = house.running()["web.1"]
    house.routing.busy[id] = 1
    new = house.release(WEB)
    await house.healthy(new)
    house.switch(new)

    await house.clock.pass_by(29)
    assert list(house.running(old)) == ["web.1"]
    await house.clock.until(lambda: not house.running(old), within=3)
    assert house.routing.closed == [id]


async def test_a_failed_deployment_leaves_every_old_process_as_it_was(house: House) -> None:
    house.scale(web=2, worker=1)
    old = await house.deploy(BOTH)
    before = house.running(old)
    house.engine.behave("broken", Behaviour(exits=3, exits_after=0.3, prints=("no database",)))
    house.engine.behave("slow", Behaviour(listens=True, listens_after=2.0))
    new = house.release({"web": "slow", "worker": "broken"})

    with pytest.raises(NotHealthyError, match=r"worker\.1 of v2.*exit 3"):
        await house.healthy(new)
    house.fail(new)
    await house.clock.until(lambda: not house.running(new))

    assert house.running(old) == before
    assert house.said == ["app[worker.1]: no database"]
    assert house.routing.backends("shop.localhost") == ["web.1 v1", "web.2 v1"]


async def test_web_that_listens_on_another_port_is_not_healthy_and_the_error_says_which(house: House) -> None:
    house.engine.behave("shifted", Behaviour(listens=True, port_shift=7))
    house.scale(web=1)

    with pytest.raises(NotHealthyError, match=r"listens on port \d+ but not on its PORT \d+ within 60 s"):
        await house.healthy(house.release({"web": "shifted"}))


async def test_web_that_never_listens_fails_after_the_boot_limit(house: House) -> None:
    house.engine.behave("mute", Behaviour())
    house.scale(web=1)
    begun = house.clock.monotonic()

    with pytest.raises(NotHealthyError, match="did not listen on its PORT"):
        await house.healthy(house.release({"web": "mute"}))
    assert 60 <= house.clock.monotonic() - begun < 63


async def test_scaling_starts_and_stops_the_difference_alone(house: House) -> None:
    house.scale(web=2)
    await house.deploy(WEB)
    before = house.running()

    house.scale(web=4)
    await house.while_time_passes(house.supervisor.settled(house.app.id, within=10))
    assert sorted(house.running()) == ["web.1", "web.2", "web.3", "web.4"]
    assert house.running().items() >= before.items()

    house.scale(web=1)
    await house.clock.until(lambda: len(house.running()) == 1)
    assert house.running() == {"web.1": before["web.1"]}


async def test_a_crash_is_restarted_at_once_and_then_by_back_off(house: House) -> None:
    house.scale(worker=1)
    await house.deploy({"worker": "work"})
    house.engine.behave("work", Behaviour(exits=1, exits_after=0.0))
    house.engine.crash(house.running()["worker.1"])

    await house.clock.until(lambda: len(house.specs("worker.1")) == 6)

    rows = [each for each in house.store.instances.list(house.app.id) if each.type == "worker"]
    starts = [each.started_monotonic for each in rows]
    gaps = [round(later - earlier, 1) for earlier, later in pairwise(starts[1:])]
    assert gaps == pytest.approx([1, 2, 4, 8], abs=0.3)
    assert house.lines.said("worker.1").count("State changed from starting to crashed") >= 4


async def test_a_crashed_instance_shows_when_it_is_tried_again(house: House) -> None:
    house.scale(worker=1)
    await house.deploy({"worker": "work"})
    house.engine.behave("work", Behaviour(exits=1))
    house.engine.crash(house.running()["worker.1"])

    await house.clock.until(lambda: len(house.specs("worker.1")) == 5)
    await house.clock.until(lambda: house.shown() == {"worker.1": "crashed"})

    (view,) = house.supervisor.instances(house.app.id)
    assert view.retry_in == pytest.approx(8, abs=1)
    assert (view.instance.restarts, str(view.instance.exit)) == (5, "exit 1")


async def test_three_crashes_in_the_first_minute_are_reported_once(house: House) -> None:
    house.scale(worker=1)
    release = await house.deploy({"worker": "work"})
    house.engine.behave("work", Behaviour(exits=1))
    house.engine.crash(house.running()["worker.1"])

    await house.clock.until(lambda: len(house.specs("worker.1")) == 6)

    assert house.unstable == [(release.id, "worker.1 crashed 3 times in the first minute of v1")]


async def test_restart_starts_the_new_web_copy_before_it_stops_the_old_one(house: House) -> None:
    house.scale(web=1, worker=1)
    await house.deploy(BOTH)
    old = house.running()
    house.routing.busy[old["web.1"]] = 1
    house.store.formations.restart(house.app.id, [("web", 1), ("worker", 1)])  # type: ignore[list-item] # names
    house.supervisor.nudge()

    await house.while_time_passes(house.supervisor.settled(house.app.id, within=10))

    ids = {spec.id for spec in house.engine.running()}
    assert old["web.1"] in ids
    assert old["worker.1"] not in ids
    assert len(ids) == 3
    house.routing.busy.clear()
    await house.clock.until(lambda: len(house.running()) == len(house.engine.running()) == 2)
    assert house.routing.backends("shop.localhost") == ["web.1 v1"]


async def test_a_stopped_slot_stays_stopped_until_a_restart(house: House) -> None:
    house.scale(web=2)
    await house.deploy(WEB)
    house.store.formations.stop_slot(house.app.id, "web", 2, version=1)  # type: ignore[arg-type] # a name
    house.supervisor.nudge()
    await house.clock.until(lambda: house.shown() == {"web.1": "up", "web.2": "stopped"})
    await house.clock.pass_by(20)
    assert list(house.running()) == ["web.1"]

    house.store.formations.restart(house.app.id, [("web", 2)])  # type: ignore[list-item] # a name
    house.supervisor.nudge()
    await house.clock.until(lambda: house.shown() == {"web.1": "up", "web.2": "up"})


async def test_a_start_is_told_before_the_first_line_can_come(house: House) -> None:
    start = house.engine.start
    told: list[list[str]] = []

    async def start_after(spec: InstanceSpec) -> Identity:
        told.append(house.lines.said(spec.name))
        return await start(spec)

    house.engine.start = start_after  # type: ignore[method-assign]
    house.scale(web=1)
    release = await house.deploy(WEB)
    await house.supervisor.detach_run(house.app, release, command="import", environment={}, actor="me")

    assert told == [
        ["Starting process with command `serve`"],
        ["Starting process with command `import` by me"],
    ]


async def test_what_lived_is_shown_as_unknown_while_a_new_control_plane_hears_nothing_of_the_engine(
    house: House,
) -> None:
    house.scale(web=1)
    await house.deploy(WEB)
    (running,) = house.running().values()
    house.engine.available = False

    await house.restart_control_plane()
    seen = await house.supervisor.observed(house.app.id)
    assert [(view.instance.id, view.state.value) for view in seen] == [(running, "unknown")]

    house.engine.available = True
    await house.clock.until(lambda: house.shown() == {"web.1": "up"})
    assert list(house.running().values()) == [running]


async def test_a_restarted_control_plane_takes_up_what_runs(house: House) -> None:
    house.scale(web=2, worker=1)
    await house.deploy(BOTH)
    before = house.running()

    await house.restart_control_plane()
    await house.clock.pass_by(10)

    assert house.running() == before
    assert house.engine.started == []
    assert house.routing.backends("shop.localhost") == ["web.1 v1", "web.2 v1"]
    house.engine.crash(before["web.1"])
    await house.clock.until(lambda: house.running().get("web.1", before["web.1"]) != before["web.1"])


async def test_after_a_reboot_all_that_should_run_is_started_at_once(house: House) -> None:
    house.scale(web=2, worker=1)
    release = await house.deploy(BOTH)
    begun = house.clock.monotonic()

    await house.restart_control_plane(reboot=True)
    await house.clock.until(lambda: len(house.running()) == 3 and house.is_quiet(release))

    assert house.clock.monotonic() - begun < 3
    assert sorted(house.running()) == ["web.1", "web.2", "worker.1"]


async def test_an_end_that_only_the_log_plane_saw_is_told_as_any_other(house: House) -> None:
    house.scale(web=2)
    release = await house.deploy(WEB)
    house.lines.exits[house.running()["web.1"]] = ExitStatus(42)

    await house.restart_control_plane(reboot=True)
    await house.clock.until(lambda: len(house.running()) == 2 and house.is_quiet(release))

    shown = {view.instance.name: view.instance for view in house.supervisor.instances(house.app.id)}
    assert (shown["web.1"].restarts, shown["web.1"].exit) == (1, ExitStatus(42))
    assert (shown["web.2"].restarts, shown["web.2"].exit) == (0, None)
    assert "Process ended: exit 42" in house.lines.said("web.1")


async def test_a_release_that_keeps_crashing_is_told_of_again_by_the_next_control_plane(house: House) -> None:
    house.scale(worker=1)
    house.engine.behave("work", Behaviour(exits=1))
    release = house.release({"worker": "work"}, auto_rollback=True)
    house.switch(release)
    await house.clock.until(lambda: len(house.unstable) == 1)

    await house.restart_control_plane()

    await house.clock.until(lambda: len(house.unstable) == 2)
    assert {told[0] for told in house.unstable} == {release.id}


async def test_a_release_that_got_over_its_crashes_is_not_told_of_again(house: House) -> None:
    house.scale(worker=1)
    house.engine.behave("work", Behaviour(exits=1))
    release = house.release({"worker": "work"}, auto_rollback=True)
    house.switch(release)
    await house.clock.until(lambda: len(house.unstable) == 1)
    house.engine.behave("work", Behaviour())
    await house.clock.until(lambda: house.shown() == {"worker.1": "up"})

    await house.restart_control_plane()
    await house.clock.pass_by(5)

    assert len(house.unstable) == 1


async def test_a_release_that_crashes_after_its_first_minute_is_not_told_of(house: House) -> None:
    house.scale(worker=1)
    await house.deploy({"worker": "work"})
    await house.clock.pass_by(61)
    await house.restart_control_plane()

    house.engine.behave("work", Behaviour(exits=1))
    house.engine.crash(house.running()["worker.1"])
    await house.clock.until(lambda: len(house.specs("worker.1")) >= 5)

    assert house.unstable == []


async def test_while_the_engine_is_silent_nothing_is_started_twice(house: House) -> None:
    house.scale(web=1)
    await house.deploy(WEB)
    house.engine.available = False
    house.scale(web=2)
    await house.clock.pass_by(20)
    assert list(house.running()) == ["web.1"]

    house.engine.available = True
    await house.clock.until(lambda: sorted(house.running()) == ["web.1", "web.2"])

    assert [spec.name for spec in house.engine.started] == ["web.1", "web.2"]
    living = house.store.instances.living()
    assert sorted(each.name for each in living) == ["web.1", "web.2"]


async def test_an_instance_that_ignores_TERM_is_killed_after_the_grace(house: House) -> None:  # noqa: N802 - the signal
    house.scale(worker=1)
    house.engine.behave("work", Behaviour(on_term=OnTerm.IGNORE))
    await house.deploy({"worker": "work"})
    house.scale(worker=0)

    await house.clock.pass_by(29)
    assert list(house.running()) == ["worker.1"]
    await house.clock.until(lambda: not house.running(), within=3)


async def test_a_destroyed_app_is_emptied(house: House) -> None:
    house.scale(web=1, worker=1)
    await house.deploy(BOTH)
    house.store.apps.destroy(house.app.id, actor="tester")

    await house.while_time_passes(house.supervisor.emptied(house.app.id))

    assert house.running() == {}
    assert house.store.instances.living() == []
    assert len(house.engine.forgotten) == 2


async def test_a_stopped_server_stops_everything_and_a_new_one_starts_it_again(house: House) -> None:
    house.scale(web=1, worker=1)
    release = await house.deploy(BOTH)
    await house.while_time_passes(house.supervisor.stop(keep_apps=False))
    assert house.running() == {}

    await house.restart_control_plane()
    await house.clock.until(lambda: len(house.running()) == 2 and house.is_quiet(release))
    assert sorted(house.running()) == ["web.1", "worker.1"]


async def test_a_router_that_does_not_answer_gets_the_table_later(house: House) -> None:
    house.scale(web=1)
    house.routing.available = False
    release = house.release(WEB)
    await house.healthy(release)
    house.switch(release)
    await house.clock.pass_by(3)

    house.routing.available = True
    await house.while_time_passes(house.supervisor.routed(house.app.id))

    assert house.routing.backends("shop.localhost") == ["web.1 v1"]
    versions = [table.version for table in house.routing.tables]
    assert versions == sorted(set(versions))


async def test_an_idle_supervisor_rarely_looks(house: House) -> None:
    house.scale(web=3)
    await house.deploy(WEB)
    passes = house.supervisor._passes
    await house.clock.pass_by(10)
    before = passes.next_to_begin()

    await house.clock.pass_by(30)

    assert passes.next_to_begin() - before <= 7


async def test_a_new_control_plane_numbers_tables_from_above_those_that_the_routers_have(
    house: House,
) -> None:
    house.settings.routing_table.parent.mkdir(parents=True, exist_ok=True)
    house.settings.routing_table.write_bytes(b"damaged")
    house.routing.version = 41
    await house.restart_control_plane()

    await house.clock.until(lambda: house.routing.version > 41)
    assert house.routing.tables[-1].version == 42


async def test_a_probe_that_fails_is_begun_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    faults, address = [OSError(errno.EMFILE, "Too many open files")], house.engine.address

    async def unable(id: InstanceId, port: int) -> str | None:
        if faults:
            raise faults.pop()
        return await address(id, port)

    monkeypatch.setattr(house.engine, "address", unable)
    house.scale(web=1)
    await house.healthy(house.release(WEB))
    assert house.shown() == {"web.1": "up"}
