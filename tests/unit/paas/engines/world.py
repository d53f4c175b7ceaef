"""What tests of the process engine ask the machine."""

import os

from paas.domain.ids import InstanceId
from paas.domain.instance import InstanceSpec
from paas.engines.process import proc
from tests.contracts.stages import ProcessStage
from tests.eventually import eventually_async

FOREVER = str(1_000_000_000 + os.getpid())
"""Seconds to sleep, by which the sleepers of this test run are told from all others."""


def sleepers() -> set[int]:
    """Return the living processes that sleep forever: they may have neither our session nor our environment."""
    return {process.pid for process in proc.scan() if not process.dead and _sleeps_forever(process.pid)}


def alive(id: InstanceId) -> set[int]:
    """Return the living processes that were started with this instance's id."""
    return {
        process.pid
        for process in proc.scan()
        if not process.dead and proc.variable(process.pid, "MINI_INSTANCE_ID") == id
    }


def zombies() -> set[int]:
    """Return those of our children that have ended and that nobody has reaped."""
    return {process.pid for process in proc.scan() if process.dead and process.parent == os.getpid()}


async def until_sleeping(count: int) -> None:
    """Return once so many processes sleep forever."""

    async def there() -> bool:
        return len(sleepers()) == count

    await eventually_async(there)


async def until_printed(stage: ProcessStage, spec: InstanceSpec, text: str) -> str:
    """Return what the instance printed, once `text` is in it."""
    seen = ""

    async def there() -> bool:
        nonlocal seen
        seen += stage.printed(spec)
        return text in seen

    await eventually_async(there)
    return seen


async def until_told(stage: ProcessStage) -> None:
    """Return once the listener was told of an exit."""

    async def told() -> bool:
        return bool(stage.exits)

    await eventually_async(told)


def _sleeps_forever(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline") as arguments:  # noqa: PTH123 - read for every process there is
            return arguments.read() == f"sleep\0{FOREVER}\0"
    except (FileNotFoundError, ProcessLookupError):
        return False
