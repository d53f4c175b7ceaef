"""The short way passes on what the long way would, byte for byte; and gives way to it at any moment."""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.router.head import parse_request
from paas.router.limits import Limits
from paas.router.plain import (
    plain_answer,
    plain_answer_by_steps,
    plain_request,
    plain_request_of,
)
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    Running,
    a_backend,
    a_router,
    body_of,
    head_of,
    status_of,
)

pytestmark = pytest.mark.anyio

REQUESTS = [
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", id="plain"),
    pytest.param(b"GET /a?b HTTP/1.1\r\nA: b\r\n" + HOST + b"Connection: keep-alive\r\nC: d\r\n\r\n", id="fields"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: 6.6.6.6\r\nVia: x\r\n\r\n", id="spoofed"),
    pytest.param(b"GET / HTTP/1.1\r\nhost: SHOP.localhost:80\r\nConnection: A\r\nA: b\r\n\r\n", id="hop by hop"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X-Request-ID: 0123456789-0123456789\r\n\r\n", id="own id"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\nA: b\r\ntracestate: c=d\r\n\r\n", id="traced"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"traceparent: bad\r\nX-Request-ID: 0123456789-0123456789\r\n\r\n", id="badly traced"),
    pytest.param(b"GET http://shop.localhost/x HTTP/1.1\r\nHost: a\r\n\r\n", id="absolute"),
]  # fmt: skip

ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nServer: a\r\ncontent-length: 005\r\nConnection: keep-alive\r\nDate: b\r\n\r\nhello",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Request-ID: theirs\r\nVia: b\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: a\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: A\r\nA: b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
]

_ID = re.compile(rb"[0-9a-f]{32}(?:-[0-9a-f]{16})?")
_STAMP = re.compile(rb"X-Request-Start: \d+")


class Backend:
    """Keeps its connections, and answers with the pieces it was given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.address = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            self.heads.append(await head_of(reader))
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)


@asynccontextmanager
async def setting(limits: Limits | None = None) -> AsyncIterator[tuple[Running, Backend]]:
    backend = Backend()
    async with a_router(limits) as router, a_backend(backend.handle) as backend.address:
        router.route(backend.address)
        yield router, backend


async def answer_to(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return all that comes back, up to the router's own answer to what follows: an unknown host's page."""
    writer.write(request + b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
    answer = await reader.readuntil(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html")
    await reader.readuntil(b"</html>\n")
    return answer


def same(data: bytes) -> bytes:
    """Return it without what is different each time."""
    return _STAMP.sub(b"", _ID.sub(b"", data))


@pytest.mark.parametrize("request_bytes", REQUESTS)
async def test_both_ways_pass_on_the_same_bytes(request_bytes: bytes) -> None:
    for answer in ANSWERS:
        async with setting() as (router, backend), router.connection() as (reader, writer):
            backend.pieces = [answer]
            answers = [
                await answer_to(request_bytes, reader, writer)
            ]  # no connection is kept yet: the long way
            writer.write(request_bytes)  # alone, so that it may take the short way
            await eventually_async(lambda: _asked(backend, 2))
            answers.append(await answer_to(b"", reader, writer))
            assert len({same(each) for each in answers}) == 1
            assert len({same(head) for head in backend.heads}) == 1
        counts = {line.partition("service=")[2].partition(" ")[2] for line in router.lines.texts}
        assert len(counts) == 1


async def _asked(backend: Backend, times: int) -> bool:
    return len(backend.heads) == times


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_cut_anywhere_is_the_same_on_the_short_way(answer: bytes) -> None:
    request = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    async with setting() as (router, backend), router.connection() as (reader, writer):
        backend.pieces = [answer]
        expected = same(await answer_to(request, reader, writer))
        for place in range(1, len(answer), 7):
            backend.pieces = [answer[:place], answer[place:]]
            asked = len(backend.heads) + 1
            writer.write(request)
            await eventually_async(lambda asked=asked: _asked(backend, asked))  # type: ignore[misc]  # bound at once
            assert same(await answer_to(b"", reader, writer)) == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok-and-more"], b"ok", id="more than it said"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", b"ok-and-more"], b"okok", id="later"),
    ],
)  # fmt: skip
async def test_bytes_after_an_answer_end_its_connection_on_the_short_way(
    pieces: list[bytes], expected: bytes
) -> None:
    async with setting() as (router, backend):
        backend.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
        await router.get()
        assert backend.connections == 1
        backend.pieces = pieces
        for count in range(1, 4):
            async with router.connection() as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                await eventually_async(lambda count=count: _asked(backend, count + 1))  # type: ignore[misc]  # bound at once
                answer = await answer_to(b"", reader, writer)
            assert body_of(answer).partition(b"HTTP/1.1 404")[0] == expected
            assert backend.connections == count


async def test_a_client_that_goes_in_the_middle_of_an_answer_is_h27() -> None:
    async with setting() as (router, backend):
        backend.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
        async with router.connection() as (reader, writer):
            for _ in range(2):
                writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                await head_of(reader)
                backend.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]
            await reader.readuntil(b"half")
            linger = struct.pack("ii", 1, 0)  # close with a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        async def logged() -> bool:
            return any("code=H27" in line and "status=499 bytes=4" in line for line in router.lines.texts)

        await eventually_async(logged)


async def test_a_backend_that_falls_silent_on_the_short_way_is_h12_or_h15() -> None:
    async with setting(Limits(first_byte=0.1, idle=0.1)) as (router, backend):
        for pieces, code in (([], "H12"), ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], "H15")):
            backend.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
            await router.get()
            backend.pieces = pieces
            async with router.connection() as (_, writer):
                writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")

                async def logged(code: str = code) -> bool:
                    return any(f"code={code}" in line for line in router.lines.texts)

                await eventually_async(logged)


async def test_a_cut_on_the_short_way_is_answered() -> None:
    async with setting() as (router, backend), router.connection() as (reader, writer):
        backend.pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
        await router.get()
        backend.pieces = []
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await eventually_async(lambda: _asked(backend, 2))
        router.server.balancer.cut(list(router.server.balancer.in_flight()))
        assert status_of(await head_of(reader)) == 503
        assert sum(router.server.balancer.in_flight().values()) == 0


TOKENS = st.text("Hh-oOsStTcCuUxXrRe_vVaA1", min_size=1, max_size=12)
NAMES = st.one_of(
    TOKENS,
    st.sampled_from(
        ["Host", "host", "Connection", "connection", "Content-Length", "Upgrade", "Upgrade-Insecure-Requests", "TE", "Cookie", "Via", "Expect", "X-Request-ID", "X-Request-Start-Up", "traceparent", "Tracestate", "X-Forwarded-For", "X_Forwarded_Host"]
    ),
)  # fmt: skip
VALUES = st.one_of(
    st.text("ab, :\t\x7f\xe9\r\n\0", max_size=8),
    st.sampled_from(["shop.localhost", "keep-alive", "Keep-Alive", "close", "Close", "5", "007", "upgrade"]),
)
SPACES = st.sampled_from(["", " ", "  ", "\t"])
LINES = st.lists(st.tuples(NAMES, SPACES, VALUES, SPACES), max_size=5).map(
    lambda lines: "".join(f"{name}:{before}{value}{after}\r\n" for name, before, value, after in lines)
)


@given(
    lines=LINES, target=st.text("/a?*%: ", max_size=4), method=st.sampled_from(["GET", "GET", "get", "POST"])
)
def test_a_request_head_that_reads_at_once_is_the_same_step_by_step(
    lines: str, target: str, method: str
) -> None:
    block = f"{method} /{target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode("latin-1")
    for each in (block, block.replace(b"Host: a\r\n", b"")):
        request = plain_request(each, origin=b"from")
        assert request is None or request == plain_request_of(parse_request(each), each, origin=b"from")


@given(
    lines=LINES, status=st.sampled_from(["200 OK", "204", "304 Not Modified", "101 S", "999 x", "099", "20"])
)
def test_a_response_head_that_reads_at_once_is_the_same_step_by_step(lines: str, status: str) -> None:
    block = f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n{lines}\r\n".encode("latin-1")
    for each in (block, block.replace(b"Content-Length: 5\r\n", b"")):
        head = each[: each.index(b"\r\n\r\n") + 4]
        answer = plain_answer(head + b"hello")
        assert answer is None or answer == plain_answer_by_steps(head)


def test_ordinary_heads_read_at_once() -> None:
    block = b"GET /a HTTP/1.1\r\nHost: a:80\r\nUser-Agent: b\r\nConnection: close\r\nCookie: c\r\n\r\n"
    assert plain_request(block, origin=b"")
    block = b"HTTP/1.1 200 OK\r\nDate: a\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"
    assert plain_answer(block + b"hello") == plain_answer_by_steps(block)
