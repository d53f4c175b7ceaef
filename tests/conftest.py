"""What every test shares."""

import asyncio
import functools
import inspect
import signal
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.dockerd import remove_made

# Where the tests were started in the background of a shell, SIGINT is ignored, and so it would be by every process that
# they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

_OF_ITS_LIMIT = 0.8
"""After which part of its limit an async test is cancelled."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An async test that hangs is cancelled: that cleans up, and says where it hung. One that hangs in cleaning up ends
    its worker: interrupted from outside, its fixtures would wait for it for ever, and so would the whole run."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            limit = _limit_of(item, config)
            if limit:
                item.obj = _cancelled_after(_OF_ITS_LIMIT * limit, item.obj)
                item.add_marker(pytest.mark.timeout(limit, method="thread"), append=False)


def _limit_of(item: pytest.Function, config: pytest.Config) -> float:
    """Return the seconds that pytest-timeout gives a test; 0 is no limit."""
    if marker := item.get_closest_marker("timeout"):
        return float(marker.args[0])
    given = config.getoption("timeout")
    return float(config.getini("timeout") if given is None else given)


def _cancelled_after(limit: float, test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def limited(**fixtures: object) -> None:
        async with asyncio.timeout(limit):
            await test(**fixtures)

    return limited


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the control plane does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _images() -> Iterator[None]:
    """The images that were made for tests go with them."""
    yield
    remove_made()
