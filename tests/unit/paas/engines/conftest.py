"""A process engine in a home of its own, and the little world around it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.stages import ProcessStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[ProcessStage]:
    stage = ProcessStage(tmp_path)
    await stage.engine.recover({})
    yield stage
    await stage.close()
