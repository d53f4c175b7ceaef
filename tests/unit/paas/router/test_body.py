"""Where bodies end, and what of them is passed on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.router.body import Body, ChunkedBody, LengthBody, UntilCloseBody
from paas.router.head import MalformedError


def feed(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Return what was passed on, and what came after the body."""
    passed, after = b"", b""
    for piece in pieces:
        if body.done:
            after += piece
            continue
        own, after = body.take(piece)
        passed += own
    return passed, after


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def chunked(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 500), max_size=8))
def test_a_chunked_body_is_the_same_however_it_arrives(chunks: list[bytes], places: list[int]) -> None:
    wire = chunked(chunks)
    encoded, decoded = ChunkedBody(chunks=True), ChunkedBody(chunks=False)
    assert feed(encoded, cut(wire + b"NEXT", places)) == (wire, b"NEXT")
    assert feed(decoded, cut(wire + b"NEXT", places)) == (b"".join(chunks), b"NEXT")
    assert encoded.payload == decoded.payload == sum(map(len, chunks))
    assert encoded.end() == b""


@given(st.lists(st.integers(0, 500), max_size=8))
def test_extensions_and_trailers_are_dropped_however_they_arrive(places: list[int]) -> None:
    wire = b"05;name=value \r\nhello\r\n00 ; x\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"
    assert feed(ChunkedBody(chunks=True), cut(wire + b"NEXT", places)) == (chunked([b"hello"]), b"NEXT")


BAD_CHUNKS = [
    pytest.param(b"G\r\n", id="no number"),
    pytest.param(b"\r\n", id="no size"),
    pytest.param(b"-5\r\nhello\r\n", id="negative size"),
    pytest.param(b"0x5\r\nhello\r\n", id="0x"),
    pytest.param(b" 5\r\nhello\r\n", id="space in front"),
    pytest.param(b"5 5\r\nhello\r\n", id="two sizes"),
    pytest.param(b"5_0\r\n", id="underscore"),
    pytest.param(b"1" + b"0" * 15 + b"\r\n", id="size beyond 64 bits"),
    pytest.param(b"5;a\x00\r\nhello\r\n", id="NUL in an extension"),
    pytest.param(b"5;a\nb\r\nhello\r\n", id="bare LF in an extension"),
    pytest.param(b"5;" + b"a" * 5000 + b"\r\n", id="endless extension"),
    pytest.param(b"5\nhello\r\n", id="bare LF"),
    pytest.param(b"5\r\nhello!\r\n", id="longer than its size"),
    pytest.param(b"5\r\nhello\n0\r\n\r\n", id="LF after the content"),
    pytest.param(b"0\r\nbad\r\n\r\n", id="trailer without a colon"),
    pytest.param(b"0\r\n A: b\r\n\r\n", id="folded trailer"),
    pytest.param(b"0\r\n" + b"A: bbbbbbbbbbbbbbbb\r\n" * 2000 + b"\r\n", id="endless trailers"),
]


@pytest.mark.parametrize("wire", BAD_CHUNKS)
@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_a_bad_chunk_is_refused_however_it_arrives(wire: bytes, size: int) -> None:
    with pytest.raises(MalformedError):
        feed(ChunkedBody(chunks=True), [wire[at : at + size] for at in range(0, len(wire), size)])


@given(st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=5))
def test_a_body_of_known_length_ends_there(data: bytes, places: list[int]) -> None:
    assert feed(LengthBody(len(data)), cut(data + b"NEXT", places)) == (data, b"NEXT")


def test_a_body_cut_short_has_no_end() -> None:
    body = LengthBody(5)
    body.take(b"1234")
    assert body.end() is None
    unfinished = ChunkedBody(chunks=True)
    unfinished.take(b"5\r\nhello\r\n")
    assert unfinished.end() is None


def test_a_body_that_ends_with_its_connection_is_chunked_for_http_1_1() -> None:
    body = UntilCloseBody(chunks=True)
    assert body.take(b"hello") == (b"5\r\nhello\r\n", b"")
    assert body.end() == b"0\r\n\r\n"


def test_a_body_that_ends_with_its_connection_stays_plain_for_http_1_0() -> None:
    body = UntilCloseBody(chunks=False)
    assert body.take(b"hello") == (b"hello", b"")
    assert body.end() == b""


def test_big_content_passes_without_a_copy_being_kept() -> None:
    body = LengthBody(1 << 30)
    block = b"x" * 65536
    assert body.take(block)[0] is block
