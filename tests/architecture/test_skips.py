"""No test vanishes unnoticed: whatever skips asks MINI_TEST_REQUIRE first, as `tests/needs.py` does."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
_SKIPS = re.compile(r"\bpytest\.(?:skip|mark\.skip|mark\.skipif|importorskip)\b")


def test_a_test_is_skipped_only_where_a_machine_may_lack_something() -> None:
    skipping = {path for path in TESTS.rglob("*.py") if _SKIPS.search(path.read_text())}
    assert TESTS / "needs.py" in skipping
    assert {path for path in skipping if "MINI_TEST_REQUIRE" not in path.read_text()} == set()
