"""The stage that each contract test plays on, once for every engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.stages import STAGES, Stage
from tests.dockerd import needs_docker


@pytest.fixture(
    params=[pytest.param(name, marks=[needs_docker] * (name == "docker")) for name in sorted(STAGES)]
)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    stage = STAGES[request.param](tmp_path)
    await stage.engine.recover({})
    yield stage
    await stage.close()
