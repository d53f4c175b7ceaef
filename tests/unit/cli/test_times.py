"""Times and durations, as people read and write them."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.times import ago, moment, seconds, shown
from paas.errors import InvalidError

NOW = datetime(2026, 9, 13, 10, 13, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (0, "~ 0s ago"),
        (59, "~ 59s ago"),
        (60, "~ 1m ago"),
        (3599, "~ 59m ago"),
        (3600, "~ 1h ago"),
        (172800, "~ 2d ago"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit(delta: int, expected: str) -> None:
    assert ago(NOW - timedelta(seconds=delta), NOW) == expected


def test_a_clock_that_went_back_is_not_shown() -> None:
    assert ago(NOW + timedelta(seconds=5), NOW) == "~ 0s ago"


def test_a_time_is_shown_in_utc() -> None:
    assert shown("2026-09-13T12:11:12+02:00", NOW) == "2026/09/13 10:11:12 +0000 (~ 2m ago)"


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0), ("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400)]
)
def test_a_duration_is_read(text: str, expected: float) -> None:
    assert seconds(text, option="--x") == expected


def test_a_duration_beyond_all_time_is_refused() -> None:
    with pytest.raises(InvalidError, match="--since goes further back"):
        moment("999999999d", NOW, option="--since")


@pytest.mark.parametrize("text", ["", "-1", "1w", "1 m", "m", "1m\n", "\u0661m", "inf", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="--x must be a duration"):
        seconds(text, option="--x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("2026-09-13T10:00:00Z", NOW.replace(minute=0, second=0)),
        ("2026-09-13T10:00:00", NOW.replace(minute=0, second=0)),
        ("2026-09-13", NOW.replace(hour=0, minute=0, second=0)),
    ],
)
def test_a_moment_is_a_duration_or_a_time(text: str, expected: datetime) -> None:
    assert moment(text, NOW, option="--since") == expected
