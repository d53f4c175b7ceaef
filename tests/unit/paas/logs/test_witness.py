"""How instances ended is written down by the log plane, while nobody else may see it."""

import subprocess
from collections.abc import Iterator

import pytest

from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, ProcessIdentity
from paas.engines.process import proc
from paas.logs.client import LogPlane
from paas.logs.process import runtime_of
from paas.settings import Settings
from tests.eventually import eventually_async

pytestmark = pytest.mark.anyio

ID = InstanceId("first")
UNKNOWN = ExitStatus(None)


@pytest.fixture
def leader() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends with 42 once it is told to."""
    with subprocess.Popen(["sh", "-c", "read line; exit 42"], stdin=subprocess.PIPE) as process:
        yield process


async def witnessed(plane: LogPlane, who: ProcessIdentity) -> None:
    """Return once the log plane has been asked: it answers in order."""
    plane.witness(ID, who)
    await plane.finish(InstanceId("another"))


def who(process: "subprocess.Popen[bytes]") -> ProcessIdentity:
    found = proc.identity(process.pid)
    assert found is not None
    return found


async def test_an_end_is_known_to_the_next_control_plane_until_the_instance_is_finished(
    plane: LogPlane, leader: "subprocess.Popen[bytes]", settings: Settings
) -> None:
    await witnessed(plane, who(leader))
    assert await plane.exit_of(ID) == UNKNOWN
    leader.communicate(b"now\n")

    async def is_known() -> bool:
        return await plane.exit_of(ID) == ExitStatus(42)

    await eventually_async(is_known)
    await plane.finish(ID)
    assert await plane.exit_of(ID) == UNKNOWN
    assert list(runtime_of(settings).glob("*.exit")) == []


async def test_a_process_that_has_the_pid_of_another_is_not_taken_for_it(
    plane: LogPlane, leader: "subprocess.Popen[bytes]"
) -> None:
    right = who(leader)
    await witnessed(plane, ProcessIdentity(right.boot_id, right.pid, right.start_time + 1))
    leader.communicate(b"now\n")
    await plane.finish(InstanceId("another"))
    assert await plane.exit_of(ID) == UNKNOWN


async def test_a_finished_instance_is_watched_no_more(
    plane: LogPlane, leader: "subprocess.Popen[bytes]"
) -> None:
    await witnessed(plane, who(leader))
    await plane.finish(ID)
    leader.communicate(b"now\n")
    await plane.finish(InstanceId("another"))
    assert await plane.exit_of(ID) == UNKNOWN
