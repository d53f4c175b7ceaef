"""An answer is the same however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.router.answer import Answer
from paas.router.head import MalformedError, RequestHead, parse_request

GET = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
HEAD = parse_request(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
OLD = parse_request(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
LIVE = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"

ANSWERS = [
    pytest.param(GET, LENGTH, id="length"),
    pytest.param(GET, CHUNKED, id="chunked"),
    pytest.param(GET, INTERIM + CHUNKED, id="interim heads"),
    pytest.param(OLD, INTERIM + CHUNKED, id="HTTP/1.0"),
    pytest.param(HEAD, LENGTH[:-5], id="HEAD"),
    pytest.param(LIVE, SWITCH, id="upgrade"),
]


def take(request: RequestHead, pieces: list[bytes]) -> tuple[bytes, Answer]:
    answer = Answer(request, request_id=b"id")
    return b"".join(answer.take(piece, may_keep_client=True) for piece in pieces), answer


@pytest.mark.parametrize(("request_head", "wire"), ANSWERS)
@given(place=st.integers(0, 300), other=st.integers(0, 300))
def test_an_answer_cut_anywhere_is_the_same_answer(
    request_head: RequestHead, wire: bytes, place: int, other: int
) -> None:
    first, second = sorted((place % (len(wire) + 1), other % (len(wire) + 1)))
    whole, answer = take(request_head, [wire])
    pieces, again = take(request_head, [wire[:first], wire[first:second], wire[second:]])
    assert pieces == whole
    assert (again.status, again.done, again.upgraded, again.size) == (
        answer.status,
        answer.done,
        answer.upgraded,
        answer.size,
    )
    assert answer.done or answer.upgraded


def test_an_upgrade_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(MalformedError):
        take(GET, [SWITCH])


def test_a_connection_with_bytes_left_over_is_not_kept() -> None:
    assert take(GET, [LENGTH])[1].keeps_backend
    assert not take(GET, [LENGTH + b"x"])[1].keeps_backend
    assert not take(HEAD, [LENGTH])[1].keeps_backend
