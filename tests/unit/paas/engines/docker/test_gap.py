"""Finding the place in a container's log behind which nothing was taken yet."""

from datetime import UTC, datetime

import pytest

from paas.engines.docker.frames import STDERR, STDOUT, frame
from paas.engines.docker.gap import LoggedLine, Taken, Window, is_broken, lines_after, overlap

START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
SECOND = 1_000_000_000


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}.000000000Z"


def window(*texts: bytes, is_complete: bool = True, stream: int = STDOUT) -> Window:
    lines: dict[int, list[LoggedLine]] = {STDOUT: [], STDERR: []}
    lines[stream] = [LoggedLine(at(second), text) for second, text in enumerate(texts)]
    return Window(lines, at(0), is_complete)


def taken(
    *lines: bytes, rest: bytes = b"", count: int | None = None, near: int = 0, mark: str | None = None
) -> Taken:
    return Taken(lines, rest, count, near_ns=(START + near) * SECOND, mark=mark)


def new(window: Window, known: Taken) -> list[bytes] | None:
    lines = lines_after(window, STDOUT, known)
    return None if lines is None else [line.text for line in lines]


def test_what_follows_the_last_lines_is_new() -> None:
    assert new(window(b"a", b"b", b"c", b"d"), taken(b"a", b"b")) == [b"c", b"d"]


def test_where_nothing_was_taken_all_is_new() -> None:
    assert new(window(b"a", b"b"), taken(count=0)) == [b"a", b"b"]


def test_lines_that_are_not_in_the_window_ask_for_more_of_the_log() -> None:
    assert new(window(b"c", b"d", is_complete=False), taken(b"a", b"b")) is None


def test_lines_that_repeat_are_told_apart_by_what_stands_before_them() -> None:
    assert new(window(b"tick", b"a", b"tick", b"b", b"tick"), taken(b"a", b"tick")) == [b"b", b"tick"]


def test_lines_that_are_all_alike_are_told_apart_by_their_number() -> None:
    known = taken(b"tick", b"tick", b"tick", count=3, near=9)
    assert new(window(*[b"tick"] * 5), known) == [b"tick"] * 2


def test_lines_that_are_all_alike_and_uncounted_are_told_apart_by_their_time() -> None:
    assert new(window(*[b"tick"] * 9), taken(b"tick", near=3)) == [b"tick"] * 5


def test_what_came_from_the_log_itself_is_found_by_its_time() -> None:
    assert new(window(b"a", b"a", b"a"), taken(b"a", mark=at(1))) == [b"a"]


def test_the_rest_of_a_line_that_was_taken_in_pieces_is_not_taken_again() -> None:
    assert new(window(b"a", b"long line", b"b"), taken(b"a", rest=b"long ")) == [b"line", b"b"]


def test_lines_that_the_log_has_lost_are_passed_over_by_time() -> None:
    assert new(window(b"x", b"y", b"z"), taken(b"gone", near=1)) == [b"z"]


def test_a_stream_without_lines_needs_a_window_that_reaches_far_enough() -> None:
    short = window(b"a", is_complete=False, stream=STDERR)
    assert new(short, taken(b"old", near=2)) is None
    assert new(short, taken(b"old", near=30)) == []


def test_a_log_is_read_with_its_times_and_its_parts_of_lines() -> None:
    answer = b"".join(
        frame(stream, f"{at(second)} ".encode() + text)
        for second, (stream, text) in enumerate(
            [
                (STDOUT, b"one\n"),
                (STDERR, b"oops\n"),
                (STDOUT, b"two,"),
                (STDOUT, b" whole\n"),
                (STDOUT, b"not"),
            ]
        )
    )
    read = Window.parse(answer, asked=6)
    assert [line.text for line in read.lines[STDOUT]] == [b"one", b"two, whole"]
    assert read.lines[STDERR] == [LoggedLine(at(1), b"oops")]
    assert (read.begins, read.is_complete) == (at(0), True)
    assert not Window.parse(answer, asked=5).is_complete


@pytest.mark.parametrize(
    ("recent", "attached", "at_least", "known"),
    [
        pytest.param(b"a\nb\n", b"", 0, 0, id="silence"),
        pytest.param(b"a\nb\nc\n", b"b\nc\n", 4, 4, id="all of it"),
        pytest.param(b"a\nb\nc\n", b"b\nc\nd\n", 2, 4, id="a part of it"),
        pytest.param(b"line\nnext\n", b"ne\nnext\n", 8, 8, id="from the middle of a line"),
        pytest.param(b"a\nb\n", b"b\nc\n", 4, None, id="the log is behind"),
        pytest.param(b"t\nt\nt\n", b"t\nt\n", 0, None, id="in several ways"),
        pytest.param(b"a\n", b"a\nb", 3, None, id="not at the end of a line"),
    ],
)
def test_an_attachment_goes_on_where_it_meets_the_log(
    recent: bytes, attached: bytes, at_least: int, known: int | None
) -> None:
    assert overlap(recent, attached, at_least=at_least) == known


def test_what_the_daemon_says_of_a_damaged_log_is_no_line() -> None:
    def entry(stream: int, second: int, text: bytes) -> bytes:
        return frame(stream, at(second).encode() + b" " + text)

    answer = (
        entry(STDOUT, 0, b"a\n")
        + frame(3, b"Error grabbing logs: invalid character")
        + entry(STDOUT, 1, b"b\n")
    )
    found = Window.parse(answer, asked=64)
    assert [line.text for line in found.lines[STDOUT]] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("known", "broken"),
    [
        pytest.param(taken(b"a", near=-1), True, id="it begins behind what was taken"),
        pytest.param(taken(b"a", near=1), False, id="it begins before"),
        pytest.param(taken(b"x", near=-1), False, id="what was taken is in it"),
        pytest.param(taken(count=0, near=-1), False, id="nothing was taken"),
    ],
)
def test_a_log_that_begins_behind_what_was_taken_has_dropped_lines(known: Taken, broken: bool) -> None:
    assert is_broken(window(b"x", b"y"), STDOUT, known) is broken
    assert not is_broken(window(b"x", b"y", is_complete=False), STDOUT, known)
