"""A daemon that does not answer at one moment or another: nothing is forgotten, started twice or left over for it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.ids import new_id
from paas.domain.instance import ContainerIdentity, ExitStatus, InstanceSpec
from paas.engines.docker import DockerEngine
from paas.engines.docker.client import Daemon
from paas.engines.docker.spec import container_name
from paas.engines.docker.state import ContainerState
from paas.engines.docker.watch import Watch
from paas.errors import EngineUnavailableError
from tests.contracts.stages import DockerStage
from tests.contracts.test_engine import until_told
from tests.dockerd import docker, image_with, needs_docker
from tests.eventually import eventually_async
from tests.unit.paas.engines.docker.test_containers import LINGERS, Output, names

pytestmark = [pytest.mark.anyio, needs_docker]

GRACE = 10.0
WAITS = "exec python3 -c 'import signal; signal.pause()'"


class SilentDaemon(Daemon):
    """A daemon that keeps back its answers to what is in `silent`, and does not hear what is in `deaf`."""

    def __init__(self) -> None:
        super().__init__()
        self.silent: set[str] = set()
        self.deaf: set[str] = set()
        self.asked = asyncio.Event()

    async def start(self, container: str) -> None:
        await super().start(container)
        self._answer("start")

    async def get(self, container: str) -> ContainerState:
        state = await super().get(container)
        self._answer("get")
        return state

    async def signal(self, container: str, number: int) -> None:
        self._hear("signal")
        await super().signal(container, number)

    async def remove(self, container: str) -> None:
        self._hear("remove")
        await super().remove(container)

    def _answer(self, what: str) -> None:
        if what in self.silent:
            raise EngineUnavailableError

    def _hear(self, what: str) -> None:
        self.asked.set()
        if what in self.deaf:
            raise EngineUnavailableError


@pytest.fixture
def daemon() -> SilentDaemon:
    return SilentDaemon()


@pytest.fixture
async def stage(tmp_path: Path, daemon: SilentDaemon) -> AsyncIterator[DockerStage]:
    stage = DockerStage(tmp_path)
    await stage.engine.close()
    stage.engine = DockerEngine(stage.settings, home_id=stage.home_id, clock=SystemClock(), daemon=daemon)
    stage.engine.on_exit(lambda id, status: stage.exits.append((id, status)))
    await stage.engine.recover({})
    yield stage
    daemon.silent.clear()
    daemon.deaf.clear()
    await stage.close()


def left(stage: DockerStage) -> list[str]:
    return names("container", stage.home_id) + names("network", stage.home_id)


def container_of(spec: InstanceSpec) -> ContainerIdentity:
    return ContainerIdentity(docker("inspect", "-f", "{{.Id}}", container_name(spec)))


@pytest.mark.parametrize("step", ["start", "get"])
async def test_what_may_run_is_stopped_with_its_grace(
    stage: DockerStage, daemon: SilentDaemon, step: str
) -> None:
    spec = stage.command(WAITS)
    daemon.silent.add(step)
    with pytest.raises(EngineUnavailableError):
        await stage.engine.start(spec)
    assert stage.runs(container_of(spec))

    daemon.silent.clear()
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
    await stage.engine.forget(spec.id)
    assert left(stage) == []


async def test_what_may_run_is_started_once(stage: DockerStage, daemon: SilentDaemon) -> None:
    spec = stage.command(WAITS)
    daemon.silent.add("get")
    with pytest.raises(EngineUnavailableError):
        await stage.engine.start(spec)

    daemon.silent.clear()
    assert await stage.engine.start(spec) == container_of(spec)


async def test_an_end_that_nobody_saw_is_told(stage: DockerStage, daemon: SilentDaemon) -> None:
    spec = stage.command("exit 3")
    daemon.silent.add("get")
    with pytest.raises(EngineUnavailableError):
        await stage.engine.start(spec)
    docker("wait", container_name(spec))

    daemon.silent.clear()
    await stage.engine.start(spec)
    assert await until_told(stage, spec.id) == ExitStatus(3)


async def test_a_one_off_that_may_run_is_ended(stage: DockerStage, daemon: SilentDaemon) -> None:
    spec = stage.command(WAITS)
    daemon.silent.add("get")
    daemon.deaf.add("remove")
    with pytest.raises(EngineUnavailableError):
        await stage.engine.attach(spec, terminal=None)
    assert stage.runs(container_of(spec))

    daemon.silent.clear()
    daemon.deaf.clear()
    await stage.engine.stop(spec.id, grace=0)
    assert left(stage) == []


async def test_a_one_off_whose_caller_goes_meanwhile_is_ended_later(
    stage: DockerStage, daemon: SilentDaemon
) -> None:
    one_off = await stage.engine.attach(stage.command(WAITS), terminal=None)
    daemon.deaf |= {"signal", "remove"}
    leaving = asyncio.create_task(one_off.__aexit__(None, None, None))
    daemon.asked.clear()
    await daemon.asked.wait()
    assert stage.runs(one_off.identity)

    daemon.deaf.clear()
    await leaving
    assert left(stage) == []


async def test_a_stop_that_broke_off_leaves_the_next_its_whole_grace(
    stage: DockerStage, daemon: SilentDaemon
) -> None:
    image = image_with({"lingers.py": LINGERS}, label=new_id())
    spec = stage.command("exec python3 /lingers.py", image=image)
    await stage.engine.start(spec)
    await Output(stage, spec).until("here")
    daemon.deaf.add("signal")
    with pytest.raises(EngineUnavailableError):
        await stage.engine.stop(spec.id, grace=0)

    daemon.deaf.clear()
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(0)


async def test_a_journal_that_lost_its_bytes_costs_its_own_instance_alone(stage: DockerStage) -> None:
    broken, whole = stage.command(WAITS), stage.command(WAITS)
    known = {spec.id: await stage.engine.start(spec) for spec in (broken, whole)}
    await stage.engine.close()
    stage.engine._journal(broken.id).write_bytes(b"")
    await stage.restart()

    assert set(await stage.engine.recover(known)) == {whole.id}
    assert not stage.runs(known[broken.id])


async def test_the_number_of_a_thread_of_this_machine_is_no_containers_process() -> None:
    numbers: list[int] = []
    done = threading.Event()

    def work() -> None:
        numbers.append(threading.get_native_id())
        done.wait()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    async def begun() -> bool:
        return bool(numbers)

    await eventually_async(begun)
    watch = Watch("0" * 64, numbers[0], daemon=Daemon(), clock=SystemClock())
    done.set()
    thread.join()
    assert watch.pid is None
