"""The journal between a container and its FIFO: what was taken, and what of that was passed on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.engines.docker.frames import STDERR, STDOUT
from paas.engines.docker.journal import CUT_AT, Journal


class Fifo:
    """A FIFO and what has come out of it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.end = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def read(self) -> bytes:
        blocks = []
        try:
            while block := os.read(self.end, 65536):
                blocks.append(block)
        except BlockingIOError:
            pass
        return b"".join(blocks)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "fifo")
    yield fifo
    os.close(fifo.end)


@pytest.fixture
def journal(tmp_path: Path, fifo: Fifo) -> Journal:
    return Journal.create(tmp_path / "run" / "journal", fifo.path)


def reopened(journal: Journal) -> Journal:
    """Return the journal as the next process finds it."""
    journal.close()
    return Journal(journal.path)


def test_what_is_taken_is_passed_on_once(journal: Journal, fifo: Fifo) -> None:
    journal.take(STDOUT, b"one\n")
    journal.take(STDERR, b"two\n")
    assert journal.pass_on(fifo.end)
    assert reopened(journal).pass_on(fifo.end)
    assert fifo.read() == b"one\ntwo\n"


def test_what_was_taken_and_not_passed_on_is_passed_on_by_the_next(journal: Journal, fifo: Fifo) -> None:
    journal.take(STDOUT, b"one\n")
    assert reopened(journal).pass_on(fifo.end)
    assert fifo.read() == b"one\n"


def test_a_full_fifo_takes_a_part_and_the_next_process_goes_on_there(journal: Journal, fifo: Fifo) -> None:
    data = b"".join(b"line %d\n" % number for number in range(60_000))
    journal.take(STDOUT, data)
    assert not journal.pass_on(fifo.end)
    come = fifo.read()
    journal = reopened(journal)
    while not journal.pass_on(fifo.end):
        come += fifo.read()
    assert come + fifo.read() == data


def test_a_torn_frame_was_never_taken(journal: Journal, fifo: Fifo) -> None:
    journal.take(STDOUT, b"one\n")
    journal.take(STDOUT, b"two\n")
    os.truncate(journal.path, journal.path.stat().st_size - 1)
    journal = reopened(journal)
    assert journal.context(STDOUT) == ([b"one"], b"")
    journal.take(STDOUT, b"three\n")
    assert journal.pass_on(fifo.end)
    assert fifo.read() == b"one\nthree\n"


def test_it_knows_the_fifo_and_the_last_lines_of_each_stream(journal: Journal, fifo: Fifo) -> None:
    journal.take(STDOUT, b"one\ntwo\n")
    journal.take(STDERR, b"oops\n")
    journal.take(STDOUT, b"begun")
    journal = reopened(journal)
    assert journal.fifo == fifo.path
    assert journal.context(STDOUT) == ([b"one", b"two"], b"begun")
    assert journal.context(STDERR) == ([b"oops"], b"")
    assert (journal.count(STDOUT), journal.count(STDERR)) == (2, 1)


def test_it_is_cut_when_it_grows_and_loses_nothing_by_it(journal: Journal, fifo: Fifo) -> None:
    journal.take(STDERR, b"oops\n")
    expected, come = b"oops\n", b""
    for number in range(3 * CUT_AT // 10_000):
        lines = b"%08d\n" % number * 1_111
        expected += lines
        journal.take(STDOUT, lines)
        while not journal.pass_on(fifo.end):
            come += fifo.read()
        come += fifo.read()
    assert come == expected
    assert journal.path.stat().st_size < 2 * CUT_AT
    journal = reopened(journal)
    assert journal.context(STDOUT)[0][-1] == b"%08d" % number
    assert journal.context(STDERR) == ([b"oops"], b"")
    assert journal.count(STDOUT) is None
    assert journal.pass_on(fifo.end)
    assert fifo.read() == b""
