"""What became of the numbered lines of `tests.faults.talker`."""

import json
import re
from collections import defaultdict
from contextlib import closing

from tests.e2e.harness import Mini
from tests.e2e.machine import LocalConnection
from tests.eventually import eventually

_NUMBERED = re.compile(r"(line|last) ([0-9a-f]+) (\d+)")


def assert_each_kept_once(mini: Mini, app: str, *, instances: int) -> int:
    """Stop the app and assert that of so many instances all lines are there, once and in order; return how many."""
    mini.ok("scale", "web=0", "-a", app)
    eventually(lambda: not mini.instances(app), within=30)
    kept = _kept(mini, app, farewells=instances)
    assert len(kept) == instances, list(kept)
    for who, numbers in kept.items():
        *lines, last = numbers
        assert lines == list(range(1, last + 1)), (who, _first_fault(lines), last)
    return sum(len(numbers) for numbers in kept.values())


def _kept(mini: Mini, app: str, *, farewells: int) -> dict[tuple[str, str], list[int]]:
    """Return the numbers kept of each instance, in order, up to the last of so many farewells."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    with closing(LocalConnection(str(mini.home / "run" / "control.sock"))) as connection:
        connection.request("GET", f"/v1/apps/{app}/logs?follow=true&after=0&source=app")
        for line in connection.getresponse():
            document = json.loads(line)
            if found := _NUMBERED.fullmatch(document["text"]):
                numbers[document["instance"], found[2]].append(int(found[3]))
                farewells -= found[1] == "last"
            if not farewells:
                break
    return dict(numbers)


def _first_fault(lines: list[int]) -> str:
    expected = next((at for at, number in enumerate(lines, 1) if number != at), None)
    if expected is None:
        return f"{len(lines)} lines without a fault, but not the last ones"
    return f"around line {expected}: {lines[max(0, expected - 3) : expected + 3]}"
