"""A real log plane in a home of its own, and instances that print into its FIFOs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.logs.client import LogPlane
from paas.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", log_budget=64 * 1024 * 1024)


@pytest.fixture
async def plane(settings: Settings) -> AsyncIterator[LogPlane]:
    plane = LogPlane(settings, clock=SystemClock())
    await plane.start()
    yield plane
    await plane.stop()
