"""What is done now and then goes on, whatever becomes of one round."""

import errno
import logging

import pytest

from api.housekeeping import MINUTE, housekeeping
from paas.errors import DiskFullError
from paas.testing.clock import FakeClock
from tests.eventually import eventually_async

pytestmark = pytest.mark.anyio


class Failing:
    """A chore that raises the same each time, and how often it was begun."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.rounds = 0

    async def __call__(self) -> None:
        self.rounds += 1
        raise self.fault


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(DiskFullError(), id="an error of mini"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), id="an error of the system"),
        pytest.param(RuntimeError("a mistake"), id="a mistake"),
    ],
)
async def test_a_round_that_fails_is_followed_by_the_next(fault: Exception) -> None:
    clock, chore = FakeClock(), Failing(fault)

    async def went_on() -> bool:
        clock.move(MINUTE)
        return chore.rounds >= 3

    async with housekeeping(chore, every=MINUTE, clock=clock):
        await eventually_async(went_on, within=2)


async def test_a_fault_that_nobody_foresaw_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chore = Failing(OSError(errno.EMFILE, "Too many open files"))

    async def is_logged() -> bool:
        return bool(caplog.records)

    with caplog.at_level(logging.ERROR, logger="api.housekeeping"):
        async with housekeeping(chore, every=MINUTE, clock=FakeClock()):
            await eventually_async(is_logged, within=2)

    assert caplog.records[0].exc_info
    assert caplog.records[0].exc_info[1] is chore.fault
