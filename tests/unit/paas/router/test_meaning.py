"""Whatever a client sends: the router refuses it, or passes it on with one meaning, the one that the client meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.paas.router.harness import a_backend, a_router, answering, fields_of, status_of
from tests.unit.paas.router.meaning import NEVER_PASSED, WRITTEN, Meaning, forwarded, to_h11, to_llhttp
from tests.unit.paas.router.test_body import BAD_CHUNKS
from tests.unit.paas.router.test_head import BAD_REQUESTS, ONE_HOST

LLHTTPS_METHODS = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH")
)  # and some that nothing here draws
METHODS = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "get", "CONNECT", "G T"])
TARGETS = st.sampled_from(
    [
        "/",
        "/a?b=c",
        "*",
        "http://shop.localhost/x",
        "http://other?y",
        "//evil/x",
        "/a b",
        "/%00",
        "shop:80",
        "",
    ]
)
VERSIONS = st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", ""])
ENDS = st.sampled_from(["\r\n"] * 12 + ["\n", "\r", "\r\r\n", "\r\n ", " \r\n", "\0\r\n", "\x0b\r\n"])
HOSTS = st.sampled_from(
    ["Host: shop.localhost"] * 6 + ["Host: a, b", "Host:", "host: b:80", "Host : c", "X: y"]
)
LINES = st.sampled_from(
    [
        "Content-Length: 5", "content-length:5", "Content-Length: 05", "Content-Length: 5, 5", "Content-Length: +5",
        "Content-Length: 0", "Content-Length: 3", "Content-Length : 5", "Content_Length: 5", "Content-Length: 5 ",
        "Transfer-Encoding: chunked", "transfer-encoding: Chunked", "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: \x0bchunked", "Transfer_Encoding: chunked", "Transfer-Encoding: chunked;q=1",
        "Connection: close", "Connection: keep-alive", "Connection: Content-Length", "Connection: x-a, Host",
        "Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c", "Expect: 100-continue", "Expect: tea",
        "X-A: b", "X-A:b\xe9 ", "X-A: a\x00b", "X-A: \x7f", ":x", "X A: b", " folded", "\tfolded", "Trailer: X-T",
        "TE: trailers", "traceparent: 00-" + "a" * 32 + "-" + "b" * 16 + "-01", "X-Forwarded-For: 6.6.6.6",
        "X_Forwarded_For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6", "Via: 1.0 evil", "Keep-Alive: 5", "Proxy-Connection: keep-alive",
    ]
)  # fmt: skip
BODIES = st.sampled_from(
    [
        "", "hello", "hel", "hello!", "5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n",
        "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: v\r\n\r\n", "05\r\nhello\r\n00\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n",
        "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", "-1\r\n", "5;\x00\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n",
    ]
)  # fmt: skip


@st.composite
def _request(draw: st.DrawFn) -> bytes:
    lines = [f"{draw(METHODS)} {draw(TARGETS)} {draw(VERSIONS)}", draw(HOSTS)]
    lines += draw(st.lists(LINES, max_size=4))
    return ("".join(line + draw(ENDS) for line in lines) + draw(ENDS) + draw(BODIES)).encode("latin-1")


_BYTE = st.sampled_from([bytes([byte]) for byte in b"\r\n\0 \t:,;/0159afGX\x7f\xff"])


@st.composite
def clients_bytes(draw: st.DrawFn) -> bytes:
    """Requests one after the other, now and then with a byte in them that is not theirs."""
    data = b"".join(draw(st.lists(_request(), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(_BYTE) + data[at + draw(st.integers(0, 1)) :]
    return data


def assert_one_meaning(data: bytes, *, cut: int) -> None:
    """Assert that what passes of `data` is understood alike by everybody, and as the client meant it."""
    passed, _ = forwarded(data, cut=cut)
    meant, _ = to_llhttp(data)
    for number, request in enumerate(passed):
        seen = to_h11(request)
        assert_clean(seen)
        if seen.method not in LLHTTPS_METHODS:
            break  # The other parser stops here, and knows of nothing after it.
        understood, right = to_llhttp(request)
        assert right
        assert [each.core for each in understood] == [seen.core]
        if number < len(meant):
            assert seen.core == meant[number].core


def assert_clean(seen: Meaning) -> None:
    names = [name for name, _ in seen.fields]
    for once in (b"host", b"content-length", b"transfer-encoding", b"x-forwarded-host"):
        assert names.count(once) <= 1
    assert not (b"content-length" in names and b"transfer-encoding" in names)
    assert not any(b"_" in name and name.replace(b"_", b"-") in names for name in names)
    assert [pair for pair in sorted(seen.fields) if pair[0] in WRITTEN] == sorted(WRITTEN.items())
    assert NEVER_PASSED.isdisjoint(names)


@settings(max_examples=1500, deadline=None)
@given(clients_bytes(), st.integers(0, 40))
def test_whatever_is_passed_on_has_one_meaning(data: bytes, cut: int) -> None:
    assert_one_meaning(data, cut=cut)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=50_000, deadline=None)
@given(clients_bytes(), st.integers(0, 40))
def test_whatever_is_passed_on_has_one_meaning_for_long(data: bytes, cut: int) -> None:
    assert_one_meaning(data, cut=cut)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\n" + ONE_HOST + b"\r\n", id="plain"),
        pytest.param(b"POST / HTTP/1.1\r\n" + ONE_HOST + b"Content-Length: 5\r\n\r\nhello", id="length"),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + ONE_HOST + b"Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: v\r\n\r\n",
            id="chunks",
        ),
        pytest.param(b"GET http://shop.localhost/a HTTP/1.1\r\nHost: other\r\n\r\n", id="absolute"),
    ],
)  # fmt: skip
def test_good_requests_pass_and_are_understood(data: bytes) -> None:
    for cut in range(40):
        passed, refused = forwarded(data + data, cut=cut)
        assert (len(passed), refused) == (2, False)
        assert_one_meaning(data + data, cut=cut)


BAD = [
    *(case for case in BAD_REQUESTS if case.id != "nothing"),  # empty lines before a request are skipped
    *(
        pytest.param(
            b"POST / HTTP/1.1\r\n" + ONE_HOST + b"Transfer-Encoding: chunked\r\n\r\n" + case.values[0],
            id=f"chunks: {case.id}",
        )
        for case in BAD_CHUNKS
        if isinstance(case.values[0], bytes)
    ),
]


@pytest.mark.anyio
async def test_no_bad_request_gets_more_than_one_refusal_nor_lets_another_through() -> None:
    heads: list[bytes] = []
    async with a_router() as router, a_backend(answering(seen=heads)) as address:
        router.route(address)
        for case in BAD:
            data = case.values[0]
            assert isinstance(data, bytes)
            answer = await router.ask(data + b"GET /smuggled HTTP/1.1\r\n" + ONE_HOST + b"\r\n")
            assert status_of(answer) in (400, 417, 431), case.id
            assert answer.count(b"HTTP/1.1 ") == 1, case.id
            assert fields_of(answer)["connection"] == "close", case.id
    assert not any(b"smuggled" in head for head in heads)
    assert len(BAD) >= 60
