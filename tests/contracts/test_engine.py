"""What every engine does. A test here names no engine."""

import asyncio
from dataclasses import replace

import pytest

from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus
from paas.engines.base import Attachment, TerminalSize
from paas.errors import ArtifactGoneError, InvalidError
from paas.testing.behaviour import IDLES, SERVES, Behaviour, OnTerm
from tests.contracts.stages import Stage, free_port
from tests.eventually import eventually_async

pytestmark = pytest.mark.anyio

GRACE = 5.0


async def until_told(stage: Stage, id: InstanceId) -> ExitStatus:
    async def told() -> list[ExitStatus]:
        return [status for instance, status in stage.exits if instance == id]

    return (await eventually_async(told))[0]


async def until_listening(stage: Stage, id: InstanceId, port: int | None) -> str:
    assert port is not None

    async def address() -> str | None:
        return await stage.engine.address(id, port)

    return await eventually_async(address) or ""


async def output_of(attachment: Attachment) -> str:
    return b"".join([block async for block in attachment.output()]).decode().replace("\r\n", "\n")


async def test_a_started_instance_runs_until_it_is_stopped(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    identity = await stage.engine.start(spec)
    assert stage.runs(identity)
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
    assert not stage.runs(identity)


async def test_lines_arrive_in_the_output_of_the_spec(stage: Stage) -> None:
    spec = stage.spec(Behaviour(prints=("one", "two")))
    await stage.engine.start(spec)
    seen = ""

    async def all_there() -> bool:
        nonlocal seen
        seen += stage.printed(spec)
        return seen == "one\ntwo\n"

    await eventually_async(all_there)


@pytest.mark.parametrize("code", [0, 1, 42])
async def test_an_exit_is_told_once_with_its_code(stage: Stage, code: int) -> None:
    spec = stage.spec(Behaviour(exits=code))
    await stage.engine.start(spec)
    assert await until_told(stage, spec.id) == ExitStatus(code)
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(code)
    assert len(stage.exits) == 1


async def test_a_stop_is_told_as_an_exit_too(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    await stage.engine.start(spec)
    status = await stage.engine.stop(spec.id, grace=GRACE)
    assert await until_told(stage, spec.id) == status


async def test_stopping_twice_gives_the_same_answer(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    await stage.engine.start(spec)
    both = await asyncio.gather(*(stage.engine.stop(spec.id, grace=GRACE) for _ in range(2)))
    assert [*both, await stage.engine.stop(spec.id, grace=GRACE)] == [ExitStatus(-15)] * 3


async def test_stopping_what_never_was_gives_an_unknown_exit(stage: Stage) -> None:
    assert await stage.engine.stop(InstanceId("never"), grace=GRACE) == ExitStatus(None)


async def test_an_instance_may_end_in_order_on_term(stage: Stage) -> None:
    spec = stage.spec(Behaviour(on_term=OnTerm.EXIT, listens=True), port=free_port())
    await stage.engine.start(spec)
    await until_listening(stage, spec.id, spec.port)
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(0)


async def test_an_instance_that_ignores_term_is_killed_after_the_grace(stage: Stage) -> None:
    spec = stage.spec(Behaviour(on_term=OnTerm.IGNORE, listens=True), port=free_port())
    identity = await stage.engine.start(spec)
    await until_listening(stage, spec.id, spec.port)
    assert await stage.engine.stop(spec.id, grace=0.2) == ExitStatus(-9)
    assert not stage.runs(identity)


async def test_a_less_patient_stop_shortens_the_grace(stage: Stage) -> None:
    spec = stage.spec(Behaviour(on_term=OnTerm.IGNORE, listens=True), port=free_port())
    await stage.engine.start(spec)
    await until_listening(stage, spec.id, spec.port)
    patient = asyncio.ensure_future(stage.engine.stop(spec.id, grace=3600))
    await asyncio.sleep(0)
    assert await stage.engine.stop(spec.id, grace=0.1) == ExitStatus(-9)
    assert await patient == ExitStatus(-9)


async def test_an_instance_has_an_address_once_it_listens(stage: Stage) -> None:
    port = free_port()
    spec = stage.spec(Behaviour(listens=True, listens_after=0.3), port=port)
    await stage.engine.start(spec)
    assert await stage.engine.address(spec.id, port) is None
    assert await until_listening(stage, spec.id, port) == stage.reached_at(spec)
    assert await stage.engine.listening(spec.id) == (port,)


async def test_an_instance_on_the_wrong_port_has_no_address_but_shows_where_it_listens(stage: Stage) -> None:
    port = free_port()
    spec = stage.spec(Behaviour(listens=True, port_shift=1), port=port)
    await stage.engine.start(spec)

    async def listening() -> tuple[int, ...]:
        return await stage.engine.listening(spec.id)

    assert await eventually_async(listening) == (port + 1,)
    assert await stage.engine.address(spec.id, port) is None


async def test_a_foreign_listener_on_the_port_is_no_address(stage: Stage) -> None:
    port = free_port()
    stage.occupy(port)
    spec = stage.spec(IDLES, port=port)
    await stage.engine.start(spec)
    assert await stage.engine.address(spec.id, port) is None


async def test_what_has_ended_has_no_address(stage: Stage) -> None:
    spec = stage.spec(SERVES, port=free_port())
    await stage.engine.start(spec)
    await until_listening(stage, spec.id, spec.port)
    await stage.engine.stop(spec.id, grace=GRACE)
    assert spec.port is not None
    assert await stage.engine.address(spec.id, spec.port) is None
    assert await stage.engine.listening(spec.id) == ()


async def test_an_artifact_that_is_gone_starts_nothing(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    assert await stage.engine.has(spec.artifact)
    stage.lose(spec.artifact)
    assert not await stage.engine.has(spec.artifact)
    with pytest.raises(ArtifactGoneError):
        await stage.engine.start(spec)


async def test_forgetting_is_repeatable(stage: Stage) -> None:
    spec = stage.spec(Behaviour(exits=0))
    await stage.engine.start(spec)
    await until_told(stage, spec.id)
    await stage.engine.forget(spec.id)
    await stage.engine.forget(spec.id)
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(None)


async def test_the_next_control_plane_adopts_what_is_known(stage: Stage) -> None:
    spec = stage.spec(Behaviour(listens=True), port=free_port())
    identity = await stage.engine.start(spec)
    await stage.restart()
    found = await stage.engine.recover({spec.id: identity})
    assert found[spec.id].identity == identity
    assert found[spec.id].exit is None
    await until_listening(stage, spec.id, spec.port)
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
    assert await until_told(stage, spec.id) == ExitStatus(-15)


async def test_an_instance_whose_identity_was_never_recorded_is_found(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    identity = await stage.engine.start(spec)
    await stage.restart()
    found = await stage.engine.recover({spec.id: None})
    assert found[spec.id].identity == identity


async def test_what_ended_in_between_is_not_found(stage: Stage) -> None:
    spec = stage.spec(Behaviour(exits=3))
    identity = await stage.engine.start(spec)
    await until_told(stage, spec.id)
    await stage.restart()
    assert await stage.engine.recover({spec.id: identity, InstanceId("never"): None}) == {}


async def test_what_nobody_knows_is_killed(stage: Stage) -> None:
    spec = stage.spec(Behaviour(on_term=OnTerm.IGNORE))
    identity = await stage.engine.start(spec)
    await stage.restart()
    assert await stage.engine.recover({}) == {}
    assert not stage.runs(identity)


async def test_closing_stops_nothing(stage: Stage) -> None:
    identity = await stage.engine.start(stage.spec(IDLES))
    await stage.engine.close()
    assert stage.runs(identity)


async def test_a_one_off_gives_its_output_and_its_code(stage: Stage) -> None:
    spec = stage.spec(Behaviour(prints=("hello",), exits=7))
    async with await stage.engine.attach(spec, terminal=None) as one_off:
        assert await output_of(one_off) == "hello\n"
        assert await one_off.wait() == ExitStatus(7)
        assert await one_off.wait() == ExitStatus(7)
    assert stage.exits == []


@pytest.mark.parametrize("terminal", [None, TerminalSize()], ids=["pipes", "terminal"])
async def test_a_one_off_reads_its_input_until_it_ends(stage: Stage, terminal: TerminalSize | None) -> None:
    spec = stage.spec(Behaviour(echoes=True))
    async with await stage.engine.attach(spec, terminal=terminal) as one_off:
        await one_off.write(b"spoken\n")
        await one_off.close_input()
        assert "spoken\n" in await output_of(one_off)
        assert await one_off.wait() == ExitStatus(0)


async def test_a_signal_reaches_a_one_off(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    async with await stage.engine.attach(spec, terminal=None) as one_off:
        await one_off.signal(15)
        assert await one_off.wait() == ExitStatus(-15)
        await one_off.signal(15)


async def test_writing_to_a_one_off_that_has_ended_does_nothing(stage: Stage) -> None:
    spec = stage.spec(Behaviour(exits=0))
    async with await stage.engine.attach(spec, terminal=None) as one_off:
        await one_off.wait()
        await one_off.write(b"too late")
        await one_off.close_input()


async def test_leaving_a_one_off_ends_it(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    async with await stage.engine.attach(spec, terminal=TerminalSize(10, 40)) as one_off:
        await one_off.resize(TerminalSize(20, 60))
        assert stage.runs(one_off.identity)
    assert not stage.runs(one_off.identity)


async def test_an_empty_command_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidError):
        await stage.engine.start(replace(stage.spec(IDLES), command=" "))


async def test_an_instance_is_not_started_twice(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    identity = await stage.engine.start(spec)
    assert await stage.engine.start(spec) == identity
    assert stage.runs(identity)


async def test_a_start_that_was_given_up_is_found_by_the_next(stage: Stage) -> None:
    spec = stage.spec(IDLES)
    starting = asyncio.create_task(stage.engine.start(spec))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    assert stage.runs(await stage.engine.start(spec))
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
