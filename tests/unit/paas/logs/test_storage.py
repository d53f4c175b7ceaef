"""Segments hold what was appended, within the budget, and come back from damage."""

import os
from pathlib import Path

from paas.domain.log import LogFilter
from paas.logs.reader import latest, tail
from paas.logs.record import Batch, Kind
from paas.logs.storage import BUDGET_FLOOR, AppLog

FIRST, SECOND = 1, 2


def opened(
    folder: Path, *, living: frozenset[int] = frozenset({FIRST, SECOND}), budget: int = BUDGET_FLOOR
) -> AppLog:
    return AppLog(folder, budget=budget, living=living)


def append(log: AppLog, *lines: str, spool: int = FIRST, offset: int = 0) -> None:
    payload = "".join(f"{line}\n" for line in lines).encode()
    log.append(Batch(Kind.PLAIN, b"app", b"web.1", 1, 0, len(lines), spool, offset, payload))


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    log = opened(tmp_path)
    append(log, "one", "two", offset=8)
    log.close()
    again = opened(tmp_path)
    append(again, "three", offset=14)
    assert (again.sequence, again.offsets) == (3, {FIRST: 14})
    assert [line.text for line in tail(tmp_path, filter=LogFilter(), last=5)] == ["one", "two", "three"]


def test_a_new_segment_carries_along_where_every_living_spool_is_stored(tmp_path: Path) -> None:
    log = opened(tmp_path)
    append(log, "quiet", spool=SECOND, offset=6)
    append(log, "ended", spool=3, offset=6)
    for offset in range(100):
        append(log, "x" * 10_000, offset=offset)
    log.close()
    assert opened(tmp_path).offsets == {FIRST: 99, SECOND: 6}


def test_the_budget_takes_the_oldest_lines_first(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for number in range(1000):
        append(log, f"{number} " + "x" * 5_000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= BUDGET_FLOOR
    lines = tail(tmp_path, filter=LogFilter(), last=1000)
    assert [line.sequence for line in lines] == list(range(lines[0].sequence, 1001))
    assert len(lines) > 150


def test_all_lines_are_found_wherever_a_block_that_is_read_begins(tmp_path: Path) -> None:
    log = opened(tmp_path, budget=64 * BUDGET_FLOOR)
    for offset in range(1500):
        append(log, "one of many lines", offset=offset)
    log.close()
    [segment] = tmp_path.iterdir()
    size = segment.stat().st_size
    for longer in range(120):
        os.truncate(segment, size)
        log = opened(tmp_path, budget=64 * BUDGET_FLOOR)
        append(log, "x" * longer, offset=1500)
        log.close()
        assert len(tail(tmp_path, filter=LogFilter(), last=2000)) == 1501


def test_a_record_that_a_power_cut_spoilt_is_cut_off(tmp_path: Path) -> None:
    log = opened(tmp_path)
    append(log, "kept", offset=5)
    append(log, "spoilt", offset=12)
    log.close()
    [segment] = tmp_path.iterdir()
    segment.write_bytes(segment.read_bytes().replace(b"spoilt", b"sp\0\0lt"))
    again = opened(tmp_path)
    assert (again.sequence, again.offsets) == (1, {FIRST: 5})
    assert latest(tmp_path) == 1


def test_an_empty_newest_segment_gives_way_to_the_one_before(tmp_path: Path) -> None:
    log = opened(tmp_path)
    append(log, "kept", offset=5)
    log.close()
    (tmp_path / f"{2:020}.log").touch()
    again = opened(tmp_path)
    append(again, "next", offset=10)
    assert [line.text for line in tail(tmp_path, filter=LogFilter(), last=5)] == ["kept", "next"]
