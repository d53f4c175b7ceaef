"""What every test shares."""

import signal

import pytest

# Where the tests were started in the background of a shell, SIGINT is ignored, and so it would be by every process that
# they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the control plane does."""
    return "asyncio"
