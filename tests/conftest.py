"""What every test shares."""

import signal
from collections.abc import Iterator

import pytest

from tests.dockerd import remove_made

# Where the tests were started in the background of a shell, SIGINT is ignored, and so it would be by every process that
# they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the control plane does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _images() -> Iterator[None]:
    """The images that were made for tests go with them."""
    yield
    remove_made()
