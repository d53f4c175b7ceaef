"""What tests need of a machine: without it they are skipped, unless MINI_TEST_REQUIRE=all says that nothing may be missing."""

import os
import shutil
from collections.abc import Callable

import pytest

_REQUIRED = os.environ.get("MINI_TEST_REQUIRE") == "all"


def needs(what: str, is_here: Callable[[], object]) -> pytest.MarkDecorator:
    """Return the mark of tests that are skipped where something is not here; where nothing may be missing they run all the
    same, and fail for want of it."""
    return pytest.mark.skipif(not _REQUIRED and not is_here(), reason=f"needs {what}")


def need(what: str, *, is_here: object) -> None:
    """Skip the test that runs where something is not here; fail it where nothing may be missing."""
    if is_here:
        return
    if _REQUIRED:
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


def need_program(name: str) -> None:
    """Skip or fail the test that runs where a program is not installed."""
    need(name, is_here=shutil.which(name))
