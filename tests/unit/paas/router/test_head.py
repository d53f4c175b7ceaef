"""What is a head, what is none, and what a head says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.router.head import HEAD_LIMIT, MalformedError, parse_request, parse_response, split_head

ONE_HOST = b"Host: shop.localhost\r\n"


def request(lines: bytes = ONE_HOST, *, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return line + b"\r\n" + lines + b"\r\n"


BAD_REQUESTS = [
    pytest.param(request(b""), id="no Host"),
    pytest.param(request(ONE_HOST * 2), id="the same Host twice"),
    pytest.param(request(ONE_HOST + b"host: evil.localhost\r\n"), id="two Hosts"),
    pytest.param(request(b"Host:\r\n"), id="empty Host"),
    pytest.param(request(b"Host: a, b\r\n"), id="a list of hosts"),
    pytest.param(request(b"Host: a/b\r\n"), id="a path in Host"),
    pytest.param(request(b"Host: me@a\r\n"), id="a user in Host"),
    pytest.param(request(b"Host: a:b\r\n"), id="no number as the port"),
    pytest.param(request(b"", line=b"GET / HTTP/1.0"), id="no Host in HTTP/1.0"),
    pytest.param(
        request(ONE_HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), id="both framings"
    ),
    pytest.param(request(ONE_HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n"), id="repeated length"),
    pytest.param(request(ONE_HOST + b"Content-Length: 5, 5\r\n"), id="list of lengths"),
    pytest.param(request(ONE_HOST + b"Content-Length: +5\r\n"), id="signed length"),
    pytest.param(request(ONE_HOST + b"Content-Length: 0x5\r\n"), id="hexadecimal length"),
    pytest.param(request(ONE_HOST + b"Content-Length: 5 5\r\n"), id="length with a space in it"),
    pytest.param(request(ONE_HOST + b"Content-Length:\r\n"), id="empty length"),
    pytest.param(request(ONE_HOST + b"Content-Length: " + b"9" * 19 + b"\r\n"), id="length beyond 64 bits"),
    pytest.param(request(ONE_HOST + b"Transfer-Encoding: gzip, chunked\r\n"), id="two encodings"),
    pytest.param(request(ONE_HOST + b"Transfer-Encoding: chunked, identity\r\n"), id="chunked not last"),
    pytest.param(request(ONE_HOST + b"Transfer-Encoding: xchunked\r\n"), id="unknown encoding"),
    pytest.param(request(ONE_HOST + b"Transfer-Encoding: \x0bchunked\r\n"), id="control in the encoding"),
    pytest.param(request(ONE_HOST + b"Transfer-Encoding: chunked\r\n" * 2), id="chunked twice"),
    pytest.param(
        request(ONE_HOST + b"Transfer-Encoding: chunked\r\n", line=b"POST / HTTP/1.0"), id="chunked in 1.0"
    ),
    pytest.param(request(ONE_HOST + b"Transfer-Encoding : chunked\r\n"), id="space before the colon"),
    pytest.param(request(ONE_HOST + b" folded: yes\r\n"), id="space before the first name"),
    pytest.param(request(ONE_HOST + b"A: 1\r\n 2\r\n"), id="folded with a space"),
    pytest.param(request(ONE_HOST + b"A: 1\r\n\t2\r\n"), id="folded with a tab"),
    pytest.param(request(ONE_HOST + b"A: 1\rB: 2\r\n"), id="bare CR"),
    pytest.param(request(ONE_HOST + b"A: 1\nB: 2\r\n"), id="bare LF"),
    pytest.param(request(ONE_HOST + b"A: \x00\r\n"), id="NUL"),
    pytest.param(request(ONE_HOST + b"A: \x7f\r\n"), id="DEL"),
    pytest.param(request(ONE_HOST + b"no colon\r\n"), id="no colon"),
    pytest.param(request(ONE_HOST + b": no name\r\n"), id="no name"),
    pytest.param(request(ONE_HOST + b"A(b): c\r\n"), id="no token as a name"),
    pytest.param(request(ONE_HOST + b"\xc3\xa4: c\r\n"), id="a name beyond ASCII"),
    pytest.param(request(line=b"GET  / HTTP/1.1"), id="two spaces"),
    pytest.param(request(line=b"GET\t/ HTTP/1.1"), id="a tab between"),
    pytest.param(request(line=b" GET / HTTP/1.1"), id="a space in front"),
    pytest.param(request(line=b"GET / HTTP/1.1 "), id="a space at the end"),
    pytest.param(request(line=b"GET /"), id="HTTP/0.9"),
    pytest.param(request(line=b"GET / HTTP/2.0"), id="HTTP/2"),
    pytest.param(request(line=b"GET / HTTP/1.2"), id="HTTP/1.2"),
    pytest.param(request(line=b"GET / http/1.1"), id="lower-case protocol"),
    pytest.param(request(line=b"G(T / HTTP/1.1"), id="no token as a method"),
    pytest.param(request(line=b"GET /a b HTTP/1.1"), id="a space in the target"),
    pytest.param(request(line=b"GET /a\x00 HTTP/1.1"), id="NUL in the target"),
    pytest.param(request(line=b"GET /\xff HTTP/1.1"), id="raw bytes in the target"),
    pytest.param(request(line=b"GET /#a HTTP/1.1"), id="a fragment"),
    pytest.param(request(line=b"GET shop HTTP/1.1"), id="a relative target"),
    pytest.param(request(line=b"GET * HTTP/1.1"), id="* without OPTIONS"),
    pytest.param(request(line=b"CONNECT shop.localhost:443 HTTP/1.1"), id="authority form"),
    pytest.param(request(line=b"CONNECT http://a/ HTTP/1.1"), id="CONNECT to an address"),
    pytest.param(request(line=b"GET https://shop.localhost/ HTTP/1.1"), id="another scheme"),
    pytest.param(request(line=b"GET http:///a HTTP/1.1"), id="an address without a host"),
    pytest.param(request(line=b"GET http://me@shop.localhost/ HTTP/1.1"), id="an address with a user"),
    pytest.param(request(ONE_HOST + b"Expect: tea\r\n"), id="another expectation"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", id="TLS"),
    pytest.param(b"\r\n\r\n", id="nothing"),
]


@pytest.mark.parametrize("block", BAD_REQUESTS)
def test_a_request_that_could_be_read_in_two_ways_is_refused(block: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_request(block)


def test_fields_pass_as_the_bytes_they_were() -> None:
    head = parse_request(request(b"Accept:*/*\r\n" + ONE_HOST + b"Cookie: \xe9=1;  b \r\nX-Empty:\r\n"))
    assert head.kept == b"\r\nAccept:*/*\r\nCookie: \xe9=1;  b \r\nX-Empty:"
    assert (head.method, head.target, head.host) == (b"GET", b"/", b"shop.localhost")
    assert (head.length, head.chunked, head.keep_alive) == (None, False, True)


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: close",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic eA==",
        b"Proxy: http://evil",
        b"TE: trailers",
        b"Trailer: X-Sum",
        b"Upgrade: h2c",
        b"Forwarded: for=1.2.3.4",
        b"X-Forwarded-For: 1.2.3.4",
        b"x-forwarded-for: 1.2.3.4",
        b"X_Forwarded_For: 1.2.3.4",
        b"X-Forwarded_Proto: https",
        b"X-Forwarded-Prefix: /admin",
        b"X-Forwarded: yes",
        b"X-Real-IP: 1.2.3.4",
        b"X_Real_IP: 1.2.3.4",
        b"X-Request-Start: 1",
        b"X-Request-ID: short",
        b"Via: 1.1 evil",
        b"Content_Length: 5",
        b"Transfer_Encoding: chunked",
    ],
)
def test_a_field_of_one_hop_or_about_the_client_never_passes(line: bytes) -> None:
    head = parse_request(request(line + b"\r\n" + ONE_HOST))
    assert head.kept == b""
    assert not head.has_body


def test_a_field_that_connection_names_is_removed() -> None:
    head = parse_request(
        request(ONE_HOST + b"X-Hop: 1\r\nX-Stays: 2\r\nConnection: x-hop , close\r\nx-HOP: 3\r\n")
    )
    assert head.kept == b"\r\nX-Stays: 2"
    assert not head.keep_alive


def test_connection_cannot_remove_what_the_router_needs() -> None:
    head = parse_request(request(ONE_HOST + b"Content-Length: 3\r\nConnection: host, content-length\r\n"))
    assert (head.host, head.length) == (b"shop.localhost", 3)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://other.localhost:81/a?b=http://c", b"/a?b=http://c"),
        (b"HTTP://other.localhost:81", b"/"),
        (b"http://other.localhost:81?q", b"/?q"),
    ],
)
def test_an_absolute_target_becomes_a_path_and_wins_over_host(target: bytes, path: bytes) -> None:
    head = parse_request(request(line=b"GET " + target + b" HTTP/1.1"))
    assert (head.target, head.host) == (path, b"other.localhost:81")


@pytest.mark.parametrize(
    ("line", "lines", "keeps"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: Close\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive\r\nConnection: close\r\n", False),
    ],
)
def test_keep_alive_follows_version_and_connection(line: bytes, lines: bytes, keeps: bool) -> None:
    assert parse_request(request(ONE_HOST + lines, line=line)).keep_alive is keeps


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"websocket"),
        (b"Upgrade: websocket\r\n", b""),
        (b"Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n", b""),
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n", b""),
        (b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n", b""),
    ],
)
def test_an_upgrade_is_passed_on_only_where_it_is_harmless(lines: bytes, upgrade: bytes) -> None:
    head = parse_request(request(ONE_HOST + lines))
    assert head.upgrade == upgrade
    assert head.kept == b""


def test_a_well_formed_request_id_is_taken_over() -> None:
    assert parse_request(request(ONE_HOST + b"X-Request-ID: abcdefghij-0123456789\r\n")).request_id == (
        b"abcdefghij-0123456789"
    )


@pytest.mark.parametrize("text", [b"a" * 19, b"a" * 129, b'a"' * 12, b"a b" * 10])
def test_a_request_id_that_is_not_well_formed_is_dropped(text: bytes) -> None:
    assert parse_request(request(ONE_HOST + b"X-Request-ID: " + text + b"\r\n")).request_id == b""


def test_a_head_over_64_kib_is_refused_before_its_end() -> None:
    with pytest.raises(MalformedError) as caught:
        split_head(b"GET / HTTP/1.1\r\nA: " + b"a" * HEAD_LIMIT)
    assert caught.value.status == 431


def test_a_line_without_cr_is_refused_before_the_heads_end() -> None:
    with pytest.raises(MalformedError):
        split_head(b"GET / HTTP/1.1\nHost: a\n\n")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    try:
        head = parse_request(data + b"\r\n\r\n")
    except MalformedError:
        return
    assert head.host
    assert b"\r" not in head.target


@given(st.integers(min_value=0, max_value=200))
def test_a_head_cut_anywhere_is_incomplete_until_its_end(cut: int) -> None:
    block = request(ONE_HOST + b"A: 1\r\nB: 2\r\n")
    cut = min(cut, len(block) - 1)
    assert split_head(block[:cut]) is None
    assert split_head(block + b"rest") == (block, b"rest")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", id="repeated length"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", id="both framings"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", id="unknown encoding"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="two digits"),
        pytest.param(b"HTTP/1.1 099 OK\r\n\r\n", id="below 100"),
        pytest.param(b"HTTP/1.1 200OK\r\n\r\n", id="no space"),
        pytest.param(b"HTTP/2 200\r\n\r\n", id="HTTP/2"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", id="NUL"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: 1\r\n b\r\n\r\n", id="folded"),
    ],
)
def test_an_answer_that_could_be_read_in_two_ways_is_refused(block: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_response(block)


def test_an_answer_keeps_its_own_fields_and_reason() -> None:
    head = parse_response(
        b"HTTP/1.0 404 Not \xe9\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: X-A\r\nX-A: 1\r\n\r\n"
    )
    assert (head.status, head.status_line) == (404, b"404 Not \xe9")
    assert head.kept == b"\r\nSet-Cookie: a\r\nSet-Cookie: b"
    assert not head.keep_alive
