"""What became of the numbered lines of `tests.faults.talker`."""

import re
from collections import defaultdict

from tests.e2e.harness import Mini
from tests.eventually import eventually

_NUMBERED = re.compile(r"app\[(\S+)\]: (line|last) (\d+) (\d+)$")


def kept(mini: Mini, app: str) -> dict[tuple[str, int], list[int]]:
    """Stop the app's instances and return the numbers kept of each, in order; the last one is its farewell's."""
    mini.ok("scale", "web=0", "-a", app)
    eventually(lambda: not mini.instances(app), within=30)
    numbers: dict[tuple[str, int], list[int]] = defaultdict(list)
    for line in mini.ok("logs", "-s", "app", "-n", "100000", "-a", app).splitlines():
        if found := _NUMBERED.search(line):
            numbers[found[1], int(found[3])].append(int(found[4]))
    return dict(numbers)


def assert_each_kept_once(mini: Mini, app: str, *, instances: int) -> int:
    """Assert that so many instances said farewell and all their lines are there, once and in order; return how many."""
    all_kept = kept(mini, app)
    assert len(all_kept) == instances, list(all_kept)
    for who, numbers in all_kept.items():
        *lines, last = numbers
        assert lines == list(range(1, last + 1)), (who, _first_fault(lines), last)
    return sum(len(numbers) for numbers in all_kept.values())


def _first_fault(lines: list[int]) -> str:
    expected = next((at for at, number in enumerate(lines, 1) if number != at), None)
    if expected is None:
        return f"{len(lines)} lines without a fault, but not the last ones"
    return f"around line {expected}: {lines[max(0, expected - 3) : expected + 3]}"
