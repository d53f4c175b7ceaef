"""The same server and repositories as the scenarios have."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import (
    backing,
    engine,
    mini,
    pytest_collection_modifyitems,
    pytest_generate_tests,
    repository,
)
from tests.e2e.harness import Mini, Repository
from tests.faults import talker

__all__ = [
    "backing",
    "chatty",
    "engine",
    "mini",
    "pytest_collection_modifyitems",
    "pytest_generate_tests",
    "repository",
]


@pytest.fixture
def chatty(mini: Mini, repository: Callable[[str], Repository]) -> Iterator[Repository]:
    """An app that answers and prints numbered lines all the time; it is destroyed at the end of the test."""
    pushed = repository("chatty").write(talker.files()).create()
    yield pushed
    mini.ok("destroy", "--confirm", "chatty", "-a", "chatty")
