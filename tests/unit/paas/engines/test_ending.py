"""How instances end: whom a signal reaches, and that nothing is left."""

import asyncio
import gc
import os
import signal
import subprocess

import pytest

from paas.clock import SystemClock
from paas.domain.instance import ExitStatus, ProcessIdentity
from paas.engines.process import proc
from paas.engines.process.orphans import Orphans
from paas.testing.behaviour import IDLES
from paas.testing.clock import FakeClock
from tests.contracts.stages import ProcessStage
from tests.descriptors import no_descriptors
from tests.eventually import eventually
from tests.unit.paas.engines.world import (
    FOREVER,
    alive,
    sleepers,
    until_printed,
    until_sleeping,
    until_told,
    zombies,
)

pytestmark = pytest.mark.anyio

GRACE = 5.0
SLEEP = f"sleep {FOREVER}"
WAITS_FOR_TERM = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("app got TERM", flush=True)))
print("ready", flush=True)
while True:
    signal.pause()
"""


async def test_term_reaches_the_app_behind_a_shell(stage: ProcessStage) -> None:
    spec = stage.command("python3 -S app.py && echo after", files={"app.py": WAITS_FOR_TERM})
    await stage.engine.start(spec)
    await until_printed(stage, spec, "ready")
    await stage.engine.stop(spec.id, grace=GRACE)
    await until_printed(stage, spec, "app got TERM")


async def test_a_worker_that_outlives_its_leader_has_the_whole_grace(stage: ProcessStage) -> None:
    worker = "trap 'sleep 0.3; echo drained; exit' TERM; echo ready; while :; do sleep 0.05; done"
    spec = stage.command(f'sh -c "{worker}" & wait')
    await stage.engine.start(spec)
    await until_printed(stage, spec, "ready")
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
    await until_printed(stage, spec, "drained")
    assert alive(spec.id) == set()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"{SLEEP} & exec {SLEEP}", id="in its group"),
        pytest.param(f"setsid {SLEEP} & exec {SLEEP}", id="in a session of its own"),
        pytest.param(f"(setsid {SLEEP} &) ; exec {SLEEP}", id="without its parent"),
        pytest.param(f"(setsid env -i {SLEEP} &) ; exec {SLEEP}", id="without its environment"),
        pytest.param(f"(trap '' TERM; setsid env -i {SLEEP} &) ; exec {SLEEP}", id="deaf"),
    ],
)
async def test_nothing_of_a_stopped_instance_survives(stage: ProcessStage, command: str) -> None:
    spec = stage.command(command)
    await stage.engine.start(spec)
    await until_sleeping(2)
    await stage.engine.stop(spec.id, grace=GRACE)
    assert sleepers() == set()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"{SLEEP} &", id="in its group"),
        pytest.param(f"setsid {SLEEP} &", id="in a session of its own"),
        pytest.param(f"(setsid env -i {SLEEP} &) ;", id="without its environment"),
    ],
)
async def test_what_a_leader_leaves_behind_ends_with_it(stage: ProcessStage, command: str) -> None:
    spec = stage.command(f"{command} sleep 0.2; exit 5")
    await stage.engine.start(spec)
    await until_told(stage)
    await stage.engine.forget(spec.id)
    assert stage.exits == [(spec.id, ExitStatus(5))]
    assert sleepers() == set()


async def test_an_instance_that_is_killed_from_outside_is_no_lack_of_memory(stage: ProcessStage) -> None:
    spec = stage.command("kill -9 $$")
    await stage.engine.start(spec)
    await until_told(stage)
    assert stage.exits == [(spec.id, ExitStatus(-9, out_of_memory=False))]


async def test_a_hundred_starts_and_stops_leave_nothing_behind(stage: ProcessStage) -> None:
    gc.collect()  # what earlier tests dropped is not to be closed in the middle of this one
    files, zombies_before = len(proc.descriptors(os.getpid())), zombies()
    for _ in range(10):
        specs = [stage.command(f"{SLEEP} & exec {SLEEP}") for _ in range(10)]
        outputs = len(specs)
        await asyncio.gather(*(stage.engine.start(spec) for spec in specs))
        await asyncio.gather(*(stage.engine.stop(spec.id, grace=GRACE) for spec in specs))
        await asyncio.gather(*(stage.engine.forget(spec.id) for spec in specs))
        files += outputs
    assert sleepers() == set()
    assert list(stage.settings.scratch.iterdir()) == []
    assert len(proc.descriptors(os.getpid())) == files
    assert zombies() - zombies_before == set()


async def test_a_start_that_is_given_up_can_still_be_stopped(stage: ProcessStage) -> None:
    spec = stage.spec(IDLES)
    starting = asyncio.ensure_future(stage.engine.start(spec))
    await asyncio.sleep(0)
    starting.cancel()
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
    assert alive(spec.id) == set()


async def test_statuses_of_other_children_are_not_stolen(stage: ProcessStage) -> None:
    other = subprocess.Popen(["sh", "-c", "exit 9"], start_new_session=True)  # noqa: ASYNC220 - it ends at once
    eventually(lambda: (found := proc.read(other.pid)) and found.dead)
    Orphans(clock=SystemClock(), leaders=set).look(set())
    assert other.wait() == 9


async def test_orphans_that_end_while_their_instance_runs_are_reaped(stage: ProcessStage) -> None:
    before = zombies()
    spec = stage.command(f"(sleep 0.1 & (setsid sleep 0.1 &)) ; exec {SLEEP}")
    await stage.engine.start(spec)
    await until_sleeping(1)
    leaders = sleepers()
    eventually(lambda: len(zombies() - before) == 2)
    orphans = Orphans(clock=SystemClock(), leaders=set)
    orphans.look(leaders)
    assert len(zombies() - before) == 1
    orphans.look(leaders)
    assert zombies() == set()


async def test_an_end_is_told_without_descriptors_and_what_is_left_goes_once_there_are_some(
    stage: ProcessStage,
) -> None:
    spec = stage.command(f"setsid {SLEEP} & {SLEEP}")
    identity = await stage.engine.start(spec)
    assert isinstance(identity, ProcessIdentity)
    await until_sleeping(2)
    with no_descriptors():
        os.kill(identity.pid, signal.SIGKILL)
        await until_told(stage)
    await stage.engine.forget(spec.id)
    assert alive(spec.id) == set()


async def test_orphans_are_looked_for_again_after_a_look_that_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    looking = asyncio.create_task(Orphans(clock=clock, leaders=set).run())
    with no_descriptors():
        await clock.until(lambda: bool(caplog.records) or looking.done())
    assert looking.cancel()
