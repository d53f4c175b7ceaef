"""The router's own tests run on the router's own loop."""

import pytest

from paas.router.loop import RouterLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Async tests run on asyncio, over a loop as the router process has it."""
    return "asyncio", {"loop_factory": RouterLoop}
