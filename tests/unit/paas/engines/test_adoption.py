"""A second control plane takes up what the first one started."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from paas.domain.build import Slug
from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, InstanceSpec, ProcessIdentity
from paas.engines.base import Found
from paas.engines.process import proc
from paas.engines.process.scratch import Scratch
from tests.contracts.stages import ProcessStage
from tests.unit.paas.engines.world import FOREVER, alive, sleepers, until_printed, until_sleeping, until_told

pytestmark = pytest.mark.anyio

TICKS = "until [ -e go ]; do echo tick; sleep 0.02; done; exit 42"


@asynccontextmanager
async def killed_first_life(
    stage: ProcessStage, spec: InstanceSpec, init: str = "reaps"
) -> AsyncIterator[ProcessIdentity]:
    """Start `spec` from another control plane, kill that with -9, and give the identity it had recorded."""
    assert isinstance(spec.artifact, Slug)
    first = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.unit.paas.engines.first_life"),
        *(
            str(stage.settings.home),
            stage.home_id,
            spec.id,
            spec.artifact.key,
            str(spec.output),
            spec.command,
            init,
        ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert first.stdout is not None
    identity = ProcessIdentity(**json.loads(await first.stdout.readline()))
    assert await first.stdout.readline() == b"dead\n"
    try:
        yield identity
    finally:
        await first.communicate(b"")


@pytest.mark.parametrize("init", ["reaps", "leaves"])
async def test_the_exit_code_of_an_adopted_instance_is_known(stage: ProcessStage, init: str) -> None:
    spec = stage.command(TICKS)
    async with killed_first_life(stage, spec, init) as identity:
        found = await stage.engine.recover({spec.id: identity})
        assert [each.identity for each in found.values()] == [identity]
        (Scratch(stage.settings.scratch, spec.id).app / "go").touch()
        await until_told(stage)
        assert stage.exits == [(spec.id, ExitStatus(42))]


async def test_an_instance_lives_on_and_prints_while_no_control_plane_runs(stage: ProcessStage) -> None:
    spec = stage.command(TICKS)
    async with killed_first_life(stage, spec) as identity:
        stage.printed(spec)
        await until_printed(stage, spec, "tick")
        assert stage.runs(identity)


async def test_an_adopted_instance_is_stopped_with_all_its_processes(stage: ProcessStage) -> None:
    spec = stage.command(
        f"sleep {FOREVER} & (setsid env -i sleep {FOREVER} &) ; trap '' TERM; sleep {FOREVER}"
    )
    async with killed_first_life(stage, spec) as identity:
        await until_sleeping(3)
        await stage.engine.recover({spec.id: identity})
        assert await stage.engine.stop(spec.id, grace=0.1) == ExitStatus(-9)
        assert sleepers() == set()


async def test_what_was_never_recorded_is_found_by_its_mark(stage: ProcessStage) -> None:
    spec = stage.command(f"sleep {FOREVER} & exec sleep {FOREVER}")
    async with killed_first_life(stage, spec) as identity:
        assert (await stage.engine.recover({spec.id: None}))[spec.id].identity == identity


async def test_what_was_never_recorded_and_has_no_mark_is_found_by_its_lock(stage: ProcessStage) -> None:
    spec = stage.command(f"exec env -i sleep {FOREVER}")
    async with killed_first_life(stage, spec) as identity:
        await until_sleeping(1)
        assert (await stage.engine.recover({spec.id: None}))[spec.id].identity == identity


async def test_an_unknown_instance_of_this_home_is_killed_with_its_scratch(stage: ProcessStage) -> None:
    spec = stage.command(f"trap '' TERM; (setsid env -i sleep {FOREVER} &) ; sleep {FOREVER}")
    async with killed_first_life(stage, spec):
        await until_sleeping(2)
        assert await stage.engine.recover({}) == {}
        assert alive(spec.id) == sleepers() == set()
        assert not Scratch(stage.settings.scratch, spec.id).folder.exists()


async def test_an_instance_of_another_home_is_left_alone(stage: ProcessStage) -> None:
    spec = stage.command(TICKS)
    async with killed_first_life(stage, spec) as identity:
        home_id, stage.home_id = stage.home_id, "another"
        stage.settings = replace(stage.settings, home=stage.settings.home.with_name("another"))
        await stage.restart()
        await stage.engine.recover({})
        assert stage.runs(identity)
        stage.home_id = home_id
        stage.settings = replace(stage.settings, home=stage.settings.home.with_name("home"))


@pytest.fixture
def zombie() -> Iterator[ProcessIdentity]:
    """A process that ended with 42 and was not reaped."""
    with subprocess.Popen(["sh", "-c", "exit 42"], start_new_session=True) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        who = proc.identity(dead.pid)
        assert who is not None
        yield who


async def test_an_end_that_its_parent_has_not_taken_yet_is_told(
    stage: ProcessStage, zombie: ProcessIdentity
) -> None:
    id = InstanceId("a")
    assert await stage.engine.recover({id: zombie}) == {id: Found(id, zombie, ExitStatus(42))}


async def test_an_identity_of_another_time_is_neither_taken_nor_signalled(stage: ProcessStage) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    real = proc.identity(bystander.pid)
    assert real is not None
    known = {
        InstanceId("a"): replace(real, start_time=real.start_time - 1),
        InstanceId("b"): replace(real, boot_id="another"),
    }
    assert await stage.engine.recover(known) == {}
    for id in known:
        assert await stage.engine.stop(id, grace=0) == ExitStatus(None)
    assert stage.runs(real)
    bystander.kill()
    await bystander.wait()
