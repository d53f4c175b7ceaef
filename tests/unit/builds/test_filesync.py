"""How a folder is sent to BuildKit, packet by packet."""

from collections.abc import Iterator

import pytest

from builds.filesync import Item, Sending, file_of, folder_of, link_of
from builds.protobuf import Value, WireError, decode, encode
from paas.errors import BuildFailedError

MODIFIED = 1_800_000_000_123_456_000
FIN = encode((1, 3))


def asked(number: int) -> bytes:
    return encode((1, 1), (3, number))


def packets(sending: Sending) -> Iterator[dict[int, Value]]:
    """Yield what there is to send for now."""
    while (packet := sending.next()) is not None:
        yield dict(decode(packet))


def a_folder() -> list[Item]:
    return [
        folder_of(b"d", modified=MODIFIED),
        file_of(b"d/run", 4, lambda: iter((b"ab", b"cd")), modified=MODIFIED, executable=True),
        link_of(b"l", b"d/run", modified=MODIFIED),
    ]


def test_all_of_a_folder_is_told_before_anything_is_asked_for() -> None:
    told = list(packets(Sending(a_folder())))
    stats = [dict(decode(stat)) for packet in told if isinstance(stat := packet.get(2), bytes)]
    assert stats == [
        {1: b"d", 2: 1 << 31 | 0o755, 6: MODIFIED},
        {1: b"d/run", 2: 0o755, 5: 4, 6: MODIFIED},
        {1: b"l", 2: 1 << 27 | 0o777, 5: 5, 6: MODIFIED, 7: b"d/run"},
    ]
    assert told[-1] == {}


def test_a_file_is_sent_in_blocks_once_it_is_asked_for_and_its_end_is_said() -> None:
    sending = Sending(a_folder())
    list(packets(sending))
    sending.take(asked(1))
    assert list(packets(sending)) == [{1: 2, 3: 1, 4: b"ab"}, {1: 2, 3: 1, 4: b"cd"}, {1: 2, 3: 1}]
    assert not sending.is_over


def test_it_is_over_when_the_end_was_said_back() -> None:
    sending = Sending([])
    list(packets(sending))
    sending.take(FIN)
    assert not sending.is_over
    assert list(packets(sending)) == [{1: 3}]
    assert sending.is_over


def test_a_complaint_ends_the_build() -> None:
    with pytest.raises(BuildFailedError, match="does not take the commit's files: disk quota exceeded"):
        Sending([]).take(encode((1, 4), (4, b"disk quota exceeded")))


def test_a_file_that_was_not_told_of_is_not_given() -> None:
    sending = Sending(a_folder())
    list(packets(sending))
    with pytest.raises(WireError):
        sending.take(asked(3))


def test_a_file_is_read_to_its_end_also_when_nobody_wants_the_rest() -> None:
    read: list[bytes] = []

    def blocks() -> Iterator[bytes]:
        for block in (b"a", b"b", b"c"):
            read.append(block)
            yield block

    sending = Sending([file_of(b"f", 3, blocks, modified=MODIFIED)])
    list(packets(sending))
    sending.take(asked(0))
    sending.next()
    sending.abandon()
    assert read == [b"a", b"b", b"c"]
