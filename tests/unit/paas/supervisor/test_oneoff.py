"""One-offs over a real store and an engine that is acted out."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any, Never

import pytest

from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, Identity, Instance, InstanceSpec, InstanceState
from paas.domain.names import RELEASE, RUN, ProcessType
from paas.domain.release import Release
from paas.errors import ArtifactGoneError, ConflictError, DiskFullError, EngineUnavailableError, InvalidError
from paas.supervisor.loop import OneOff
from paas.testing.behaviour import Behaviour, OnTerm
from tests.eventually import eventually_async
from tests.unit.paas.supervisor.house import House, a_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as house:
        yield house


async def _attach(
    house: House,
    release: Release,
    command: str,
    *,
    kind: ProcessType = RUN,
    environment: Mapping[str, str] | None = None,
) -> OneOff:
    return await house.supervisor.attach(
        house.app, release, command=command, type=kind, environment=environment or {}, terminal=None
    )


async def test_an_attached_run_passes_output_and_exit_through_and_logs_each_line(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    house.engine.behave("migrate", Behaviour(prints=("one", "two"), exits=4))

    async with await _attach(house, release, "migrate") as run:
        output = b"".join([block async for block in run.attachment.output()])
        status = await run.attachment.wait()

    assert (run.name, output, status) == ("run.1", b"one\ntwo\n", ExitStatus(4))
    assert house.lines.said("run.1", source="app") == ["one", "two"]


async def test_nothing_of_a_run_is_left_behind(house: House) -> None:
    release = await house.deploy({"worker": "work"})

    async with await _attach(house, release, "shell") as run:
        assert house.running() == {"run.1": run.id}

    await house.clock.until(lambda: run.id in house.engine.forgotten)
    assert house.running() == {}
    assert house.store.instances.living() == []


async def test_runs_take_the_lowest_free_number_by_type(house: House) -> None:
    release = await house.deploy({"worker": "work"})

    async with (
        await _attach(house, release, "a") as first,
        await _attach(house, release, "b") as second,
        await _attach(house, release, "c", kind=RELEASE) as phase,
    ):
        assert (first.name, second.name, phase.name) == ("run.1", "run.2", "release.1")
    async with await _attach(house, release, "d") as again:
        assert again.name == "run.1"


async def test_a_run_gets_the_releases_config_and_its_own_variables(house: House) -> None:
    release = await house.deploy({"worker": "work"})

    async with await _attach(house, release, "env", environment={"EXTRA": "1"}):
        environment = dict(house.engine.started[-1].environment)

    assert (environment["DEBUG"], environment["EXTRA"], environment["PS"]) == ("0", "1", "run.1")
    assert int(environment["PORT"]) >= 20000


@pytest.mark.parametrize("name", ["A=B", "", "1A"])
async def test_a_variable_that_no_environment_can_carry_is_refused(house: House, name: str) -> None:
    release = await house.deploy({"worker": "work"})
    with pytest.raises(InvalidError, match="no config name"):
        await _attach(house, release, "shell", environment={name: "x"})
    with pytest.raises(InvalidError, match="NUL"):
        await _attach(house, release, "shell", environment={"A": "x\0y"})
    assert house.store.instances.living() == []


async def test_a_run_that_cannot_start_leaves_nothing_and_says_why(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    build = house.store.builds.get_by_id(release.build) if release.build else None
    assert build is not None
    assert build.artifact is not None
    house.engine.lose(build.artifact)

    with pytest.raises(ArtifactGoneError):
        await _attach(house, release, "shell")

    assert house.store.instances.living() == []


async def test_a_detached_run_is_not_restarted(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    house.engine.behave("import", Behaviour(prints=("done",), exits=0))

    instance = await house.supervisor.detach_run(house.app, release, command="import", environment={})
    await house.clock.until(lambda: instance.id in house.engine.forgotten)
    await house.clock.pass_by(5)

    assert len(house.specs("run.1")) == 1
    assert house.lines.said("run.1", source="app") == ["done"]


async def test_a_detached_run_ends_at_its_time_limit(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    await house.supervisor.detach_run(house.app, release, command="forever", environment={}, timeout=20)

    await house.clock.pass_by(19)
    assert list(house.running()) == ["run.1"]
    await house.clock.until(lambda: not house.running(), within=3)


async def test_a_time_limit_outlives_the_control_plane_that_was_told_of_it(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    await house.supervisor.detach_run(house.app, release, command="forever", environment={}, timeout=20)

    await house.clock.pass_by(10)
    await house.restart_control_plane()
    await house.clock.pass_by(9)
    assert list(house.running()) == ["run.1"]
    await house.clock.until(lambda: not house.running(), within=3)


async def test_a_time_limit_holds_although_the_engine_was_silent_when_it_ran_out(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    await house.supervisor.detach_run(house.app, release, command="forever", environment={}, timeout=20)

    await house.clock.pass_by(19)
    house.engine.available = False
    await house.clock.pass_by(10)
    house.engine.available = True

    await house.clock.until(lambda: not house.running(), within=3)


async def test_a_run_that_broke_off_as_the_engine_fell_silent_is_undone_once_it_answers(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    start = house.engine.start

    async def start_and_fall_silent(spec: InstanceSpec) -> Identity:
        await start(spec)
        house.engine.available = False
        raise EngineUnavailableError

    house.engine.start = start_and_fall_silent  # type: ignore[method-assign]
    with pytest.raises(EngineUnavailableError):
        await house.supervisor.detach_run(house.app, release, command="import", environment={})
    assert list(house.running()) == ["run.1"]

    house.engine.available = True
    house.clock.move(2)

    async def undone() -> bool:
        return not house.running() and not house.store.instances.living()

    await eventually_async(undone)


async def test_a_detached_run_lives_through_a_restart_and_an_attached_one_does_not(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    await _attach(house, release, "shell")
    detached = await house.supervisor.detach_run(house.app, release, command="import", environment={})

    await house.restart_control_plane()

    assert house.running() == {"run.2": detached.id}


async def test_a_run_whose_beginning_cannot_be_written_down_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await house.deploy({"worker": "work"})

    def up(*_: object, **__: object) -> Never:
        raise DiskFullError("No space is left.")

    with monkeypatch.context() as full:
        full.setattr(house.store.instances, "up", up)
        with pytest.raises(DiskFullError):
            await _attach(house, release, "shell")

    assert house.running() == {}
    assert house.store.instances.living() == []


async def test_a_detached_run_is_stopped_by_its_name(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    await house.supervisor.detach_run(house.app, release, command="forever", environment={})

    stopping = await house.supervisor.stop_run(house.app.id, "run.1", actor="me")
    assert stopping
    assert stopping.state is InstanceState.STOPPING
    await house.clock.until(lambda: stopping.id in house.engine.forgotten)

    assert house.running() == {}
    assert house.store.instances.list(house.app.id)[-1].cause == "stopped by me"
    assert not await house.supervisor.stop_run(house.app.id, "run.1", actor="me")


async def test_a_run_that_still_starts_is_not_stopped_behind_its_callers_back(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    start, may_start = house.engine.start, asyncio.Event()

    async def start_when_it_may(spec: InstanceSpec) -> Identity:
        await may_start.wait()
        return await start(spec)

    house.engine.start = start_when_it_may  # type: ignore[method-assign]
    starting = asyncio.create_task(
        house.supervisor.detach_run(house.app, release, command="import", environment={})
    )

    async def begun() -> bool:
        return bool(house.store.instances.living())

    await eventually_async(begun)
    with pytest.raises(ConflictError, match="just being started"):
        await house.supervisor.stop_run(house.app.id, "run.1", actor="me")
    may_start.set()
    await starting
    assert await house.supervisor.stop_run(house.app.id, "run.1", actor="me")
    assert await house.supervisor.stop_run(house.app.id, "run.1", actor="me")
    await house.clock.until(lambda: not house.store.instances.living())


async def test_an_attached_run_that_ignores_TERM_is_killed_after_the_grace(house: House) -> None:  # noqa: N802 - the signal
    release = await house.deploy({"worker": "work"})
    house.engine.behave("deaf", Behaviour(on_term=OnTerm.IGNORE))

    async with await _attach(house, release, "deaf") as run:
        assert await house.supervisor.stop_run(house.app.id, "run.1", actor="me")
        await house.clock.pass_by(29)
        assert list(house.running()) == ["run.1"]
        assert await house.while_time_passes(run.attachment.wait()) == ExitStatus(-9)


async def test_a_run_whose_end_cannot_be_written_down_is_over_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await house.deploy({"worker": "work"})
    house.engine.behave("migrate", Behaviour(exits=0))
    end = house.store.instances.ended

    def ended_once_more(id: InstanceId, status: ExitStatus, *, cause: str) -> Instance:
        monkeypatch.undo()
        raise DiskFullError

    async with await _attach(house, release, "migrate") as run:
        monkeypatch.setattr(house.store.instances, "ended", ended_once_more)
        assert await run.attachment.wait() == ExitStatus(0)

    await house.clock.until(lambda: not house.store.instances.living())
    assert house.store.instances.ended == end
    assert house.store.instances.list(house.app.id)[-1].exit == ExitStatus(0)


async def test_a_run_that_is_cancelled_while_its_beginning_is_written_down_has_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await house.deploy({"worker": "work"})
    writing, gate, begin = Event(), Event(), house.store.instances.begin

    def slow(**row: Any) -> Instance:
        writing.set()
        gate.wait()
        return begin(**row)

    monkeypatch.setattr(house.store.instances, "begin", slow)
    starting = asyncio.create_task(_attach(house, release, "migrate"))
    await asyncio.to_thread(writing.wait)
    starting.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert house.store.instances.living() == []
    assert house.running() == {}


async def test_a_server_that_stops_ends_runs_and_apps_side_by_side_and_waits_for_both(house: House) -> None:
    release = await house.deploy({"worker": "work"})
    house.scale(worker=1)
    await house.clock.until(lambda: "worker.1" in house.running())
    run = await _attach(house, release, "shell")
    may_end = _hold_stops_of(house, run.id)

    async def be_attached() -> None:
        async with run:
            await asyncio.Event().wait()

    caller = asyncio.create_task(be_attached())
    await asyncio.sleep(0)
    caller.cancel()
    stopping = asyncio.create_task(house.supervisor.stop(keep_apps=False))

    async def only_the_run_is_left() -> bool:
        return list(house.running()) == ["run.1"]

    await eventually_async(only_the_run_is_left)
    assert not stopping.done()

    may_end.set()
    await stopping
    assert house.running() == {}
    assert house.store.instances.living() == []
    await asyncio.wait([caller])


def _hold_stops_of(house: House, held: InstanceId) -> asyncio.Event:
    """Let the engine's stops of one instance take until the event that is returned."""
    may_end, stop = asyncio.Event(), house.engine.stop

    async def stop_when_it_may(id: InstanceId, *, grace: float) -> ExitStatus:
        if id == held:
            await may_end.wait()
        return await stop(id, grace=grace)

    house.engine.stop = stop_when_it_may  # type: ignore[method-assign]
    return may_end
