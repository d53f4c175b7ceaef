"""Frames and lines out of blocks of any size."""

import pytest

from paas.engines.docker.frames import STDERR, STDOUT, Demultiplexer, Frame, LineJoiner, frame

FRAMES = [Frame(STDOUT, b"hello\n"), Frame(STDERR, b"oops\n"), Frame(STDOUT, b"")]


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 1000])
def test_frames_are_found_in_blocks_of_any_size(size: int) -> None:
    data = b"".join(frame(*each) for each in FRAMES)
    demultiplexer = Demultiplexer()
    blocks = (data[start : start + size] for start in range(0, len(data), size))
    assert [each for block in blocks for each in demultiplexer.feed(block)] == FRAMES


def test_only_whole_lines_are_given() -> None:
    joiner = LineJoiner(limit=100)
    assert [joiner.feed(part) for part in (b"on", b"e\ntw", b"o\n", b"")] == [b"", b"one\n", b"two\n", b""]


def test_a_line_over_the_limit_is_given_in_pieces() -> None:
    joiner = LineJoiner(limit=4)
    assert [joiner.feed(part) for part in (b"abc", b"def", b"g\n")] == [b"", b"abcdef", b"g\n"]
