"""The docker engine keeps every line once and takes nothing for dead, whoever is killed, cut off or silent."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus
from paas.engines.docker import DockerEngine
from paas.engines.docker.client import Daemon
from paas.errors import ArtifactGoneError, EngineUnavailableError
from paas.settings import Settings
from tests.dockerd import PYTHON, docker, image_with, inspect, needs_docker
from tests.eventually import eventually, eventually_async
from tests.faults.docker_life import HOME_ID, INSTANCE, spec
from tests.faults.docker_proxy import DockerProxy
from tests.faults.dockerd import OwnDockerd, needs_own_dockerd

pytestmark = [pytest.mark.anyio, needs_docker]

LINES = 6000
END = b"end\n"
TALK = (
    'exec python3 -uc "import time\n'
    f"for number in range({LINES}): print('line', number); number % 20 or time.sleep(0.01)\n"
    "print('end')\n"
    'time.sleep(3600)"'
)
IDLE = "exec sleep 3600"


class Reader:
    """The other end of the FIFO: keeps all that comes."""

    def __init__(self, folder: Path) -> None:
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        self._open = os.open(self.fifo, os.O_RDWR)
        self.taken = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def until_end(self) -> list[str]:
        """Return the lines, once the last one is there."""
        eventually(lambda: self.taken.endswith(END), within=60)
        return self.taken.decode().splitlines()

    def close(self) -> None:
        os.write(self._open, b"\0")
        self._thread.join()
        os.close(self._open)

    def _read(self) -> None:
        while (block := os.read(self._open, 65536)) != b"\0":
            self.taken += block


def all_lines() -> list[str]:
    return [*(f"line {number}" for number in range(LINES)), "end"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, for sockets."""
    path = Path(tempfile.mkdtemp(prefix="mini-docker-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def reader(folder: Path) -> Iterator[Reader]:
    reader = Reader(folder)
    yield reader
    reader.close()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    for container in docker("ps", "-aq", "--filter", f"label=mini.home={HOME_ID}").split():
        docker("rm", "-fv", container)
    for network in docker("network", "ls", "-q", "--filter", f"label=mini.home={HOME_ID}").split():
        docker("network", "rm", network)


class Engine(DockerEngine):
    """An engine whose exits are kept."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        super().__init__(Settings(home=folder / "home"), home_id=HOME_ID, clock=SystemClock(), daemon=daemon)
        self.exits: list[tuple[InstanceId, ExitStatus]] = []
        self.on_exit(lambda id, status: self.exits.append((id, status)))


@pytest.fixture
async def proxied(folder: Path) -> AsyncIterator[tuple[Engine, DockerProxy]]:
    """An engine whose daemon is behind a proxy, with little patience."""
    proxy = DockerProxy(folder / "proxy.sock")
    engine = Engine(folder, Daemon(proxy.environ, limit=2.0))
    await engine.recover({})
    yield engine, proxy
    await engine.close()
    proxy.close()


def python_image() -> str:
    return str(inspect(PYTHON)["Id"])


class Life:
    """One life of a control plane, in a process of its own."""

    def __init__(self, folder: Path, *what: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.docker_life", str(folder / "home"), *what],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.said = self._process.stdout.readline().strip()

    def kill(self) -> None:
        with self._process:
            self._process.kill()


def test_a_killed_control_plane_loses_and_doubles_no_line(folder: Path, reader: Reader) -> None:
    control = Life(folder, "start", python_image(), TALK, str(reader.fifo))
    container = control.said.removeprefix("started ")
    for share in (0.1, 0.3, 0.5, 0.7):
        goal = int(share * LINES * len(b"line 1234\n"))
        eventually(lambda goal=goal: len(reader.taken) > goal, within=60)  # type: ignore[misc]
        control.kill()
        control = Life(folder, "again")
        assert control.said == f"found {container} None"
    assert reader.until_end() == all_lines()
    control.kill()


async def test_a_broken_connection_loses_and_doubles_no_line(
    proxied: tuple[Engine, DockerProxy], reader: Reader
) -> None:
    engine, proxy = proxied
    await engine.start(spec(python_image(), TALK, reader.fifo))

    async def took(goal: int) -> bool:
        return len(reader.taken) > goal

    for share in (0.1, 0.4, 0.7):
        await eventually_async(lambda share=share: took(int(share * LINES * 10)), within=60)  # type: ignore[misc]
        proxy.cut()

    async def ended() -> bool:
        return reader.taken.endswith(END)

    await eventually_async(ended, within=60)
    assert reader.until_end() == all_lines()
    assert engine.exits == []


async def test_a_silent_daemon_is_unavailable_and_nothing_is_dead(
    proxied: tuple[Engine, DockerProxy], reader: Reader
) -> None:
    engine, proxy = proxied
    started = spec(python_image(), IDLE, reader.fifo)
    await engine.start(started)
    proxy.hang()
    for asked in (engine.has(started.artifact), engine.stop(INSTANCE, grace=0)):
        with pytest.raises(EngineUnavailableError):
            await asked
    assert engine.exits == []
    proxy.go_on()
    assert (await engine.stop(INSTANCE, grace=5)).code in (-15, -9)
    assert len(engine.exits) == 1


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(b"/containers/create", id="made"),
        pytest.param(b"/attach?", id="attached"),
        pytest.param(b"/start HTTP", id="started"),
    ],
)
async def test_a_start_that_was_cut_off_is_taken_up_and_not_done_twice(
    proxied: tuple[Engine, DockerProxy], reader: Reader, last: bytes
) -> None:
    engine, proxy = proxied
    wanted = spec(python_image(), TALK, reader.fifo)
    proxy.hang_after(last)
    with pytest.raises(EngineUnavailableError):
        await engine.start(wanted)
    proxy.cut()
    proxy.go_on()
    await engine.start(wanted)
    containers = docker("ps", "-aq", "--filter", f"label=mini.instance={INSTANCE}").split()
    assert len(containers) == 1

    async def ended() -> bool:
        return reader.taken.endswith(END)

    await eventually_async(ended, within=60)
    assert reader.until_end() == all_lines()


async def test_an_image_and_a_container_removed_behind_its_back_are_missed(
    proxied: tuple[Engine, DockerProxy], reader: Reader
) -> None:
    engine, _ = proxied
    image = image_with({"news.txt": os.urandom(8).hex()}, label="removed")
    started = spec(image.digest, IDLE, reader.fifo)
    await engine.start(started)
    docker("rm", "-f", docker("ps", "-q", "--filter", f"label=mini.instance={INSTANCE}"))

    async def told() -> bool:
        return [id for id, _ in engine.exits] == [INSTANCE]

    await eventually_async(told)
    await engine.forget(INSTANCE)
    assert await engine.has(image)
    docker("image", "rm", image.digest)
    assert not await engine.has(image)
    with pytest.raises(ArtifactGoneError):
        await engine.start(replace(started, id=InstanceId("00000000000000d2")))


@pytest.fixture
def dockerd(folder: Path) -> Iterator[OwnDockerd]:
    own = OwnDockerd(folder)
    own.start()
    yield own
    own.close()
    gc.collect()  # here, where what it finds is ignored, and not during a test that comes later


# Docker's SDK leaves a socket to the collector when it cannot connect.
@needs_own_dockerd
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_a_daemon_that_was_killed_is_waited_for_and_each_end_is_told_once(
    folder: Path, dockerd: OwnDockerd, reader: Reader
) -> None:
    engine = Engine(folder, Daemon(dockerd.environ, limit=5.0))
    await engine.recover({})
    image = dockerd.load()
    started = spec(image, IDLE, reader.fifo)
    await engine.start(started)
    dockerd.kill()
    with pytest.raises(EngineUnavailableError):
        await engine.has(started.artifact)
    with pytest.raises(EngineUnavailableError):
        await engine.stop(INSTANCE, grace=0)
    assert engine.exits == []
    dockerd.start()  # it ends what the killed one left running

    async def told() -> bool:
        return [id for id, _ in engine.exits] == [INSTANCE]

    await eventually_async(told, within=60)
    await engine.forget(INSTANCE)
    again = replace(started, id=InstanceId("00000000000000d2"))
    await engine.start(again)
    assert len(dockerd.docker("ps", "-aq").stdout.split()) == 1
    await engine.stop(again.id, grace=5)
    await engine.forget(again.id)
    assert dockerd.docker("ps", "-aq").stdout == ""
    await engine.close()


@needs_own_dockerd
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_a_daemon_that_ends_in_order_loses_no_line(
    folder: Path, dockerd: OwnDockerd, reader: Reader
) -> None:
    farewell = (
        'exec python3 -uc "import signal, sys\n'
        "signal.signal(15, lambda *_: (print('going'), sys.exit(3)))\n"
        "print('here')\n"
        'while True: signal.pause()"'
    )
    engine = Engine(folder, Daemon(dockerd.environ, limit=5.0))
    await engine.recover({})
    await engine.start(spec(dockerd.load(), farewell, reader.fifo))
    await eventually_async(lambda: _as_coroutine(reader.taken == b"here\n"), within=30)
    dockerd.stop()
    assert engine.exits == []
    dockerd.start()
    await eventually_async(lambda: _as_coroutine(engine.exits == [(INSTANCE, ExitStatus(3))]), within=60)
    await engine.forget(INSTANCE)
    assert reader.taken == b"here\ngoing\n"
    await engine.close()


async def _as_coroutine(answer: bool) -> bool:
    return answer
