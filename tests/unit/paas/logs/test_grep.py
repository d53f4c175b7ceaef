"""The search of a log: in a child process, and for a bounded time."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from paas.domain.log import LogLine
from paas.errors import InvalidError
from paas.logs.grep import BATCH, Grep

_AT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def grep(pattern: str, *, flags: int = 0) -> Iterator[Grep]:
    made = Grep(re.compile(pattern, flags), limit=0.2)
    try:
        yield made
    finally:
        made.close()


def lines(*texts: str) -> list[LogLine]:
    return [LogLine(at, _AT, "app", "web.1", 1, text) for at, text in enumerate(texts, start=1)]


def test_lines_that_match_pass_in_their_order() -> None:
    with grep("^ü|b$", flags=re.IGNORECASE) as search:
        assert [line.text for line in search.matching(lines("Üa", "x", "a\u2028B"))] == ["Üa", "a\u2028B"]


def test_more_lines_than_a_batch_are_all_searched() -> None:
    many = lines(*(f"line {at}" for at in range(3 * BATCH)))
    with grep("7$") as search:
        assert list(search.each(many)) == [line for line in many if line.text.endswith("7")]


def test_a_pattern_that_backtracks_without_end_is_answered_with_a_sentence() -> None:
    with grep("(a+)+$") as search, pytest.raises(InvalidError, match="was ended"):
        search.matching(lines("a" * 60 + "b"))


def test_a_search_that_is_closed_answers_no_more() -> None:
    with grep("a") as search:
        search.close()
        with pytest.raises(InvalidError):
            search.matching(lines("a"))
