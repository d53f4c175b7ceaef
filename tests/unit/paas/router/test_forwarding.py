"""Requests and answers on their way through a router, over real sockets."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    a_backend,
    a_router,
    answering,
    body_of,
    fields_of,
    head_of,
    saying,
    status_of,
)

pytestmark = pytest.mark.anyio


async def test_a_request_reaches_its_backend_and_the_answer_comes_back() -> None:
    seen: list[bytes] = []
    async with a_router() as router, a_backend(answering(b"hi", lines=b"X-App: 1\r\n", seen=seen)) as address:
        router.route(address)
        answer = await router.get("/a?b=c", lines=b"Cookie: d\r\n")
    assert body_of(answer) == b"hi"
    assert fields_of(answer)["x-app"] == "1"
    fields = fields_of(seen[0])
    assert seen[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert fields["host"] == fields["x-forwarded-host"] == "shop.localhost"
    assert fields["cookie"] == "d"
    assert "connection" not in fields


async def test_what_the_client_claims_about_itself_is_replaced() -> None:
    seen: list[bytes] = []
    spoofed = (
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nVia: 6.6\r\n"
    )
    async with a_router() as router, a_backend(answering(seen=seen)) as address:
        router.route(address)
        await router.get(lines=spoofed + b"X_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n")
        port = router.port
    fields = fields_of(seen[0])
    assert b"6.6" not in seen[0]
    assert fields["x-forwarded-for"] == "127.0.0.1"
    assert fields["x-forwarded-proto"] == "http"
    assert fields["x-forwarded-port"] == str(port)
    assert fields["via"] == "1.1 mini"
    assert fields["x-request-start"].isdigit()


async def test_one_request_id_is_seen_by_backend_client_and_log() -> None:
    seen: list[bytes] = []
    async with (
        a_router() as router,
        a_backend(answering(seen=seen, lines=b"X-Request-Id: mine\r\n")) as address,
    ):
        router.route(address)
        answer = await router.get()
        kept = await router.get(lines=b"X-Request-ID: 0123456789-0123456789\r\n")
    made = fields_of(seen[0])["x-request-id"]
    assert len(made) == 32
    assert fields_of(answer)["x-request-id"] == made
    assert f"request_id={made}" in router.lines.texts[0]
    assert fields_of(kept)["x-request-id"] == "0123456789-0123456789" == fields_of(seen[1])["x-request-id"]


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = (await head_of(reader)).split(b" ")[1]
            await asyncio.sleep(0.05 if path == b"/0" else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    async with a_router() as router, a_backend(echo) as address:
        router.route(address)
        requests = b"".join(b"GET /%d HTTP/1.1\r\n%b\r\n" % (number, HOST) for number in range(20))
        last = b"GET /last HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
        answer = await router.ask(requests + last)
    paths = [part.split(b"\r\n\r\n")[1] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert paths == [b"/%d" % number for number in range(20)] + [b"/last"]


async def test_bytes_one_by_one_are_the_same_request() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await head_of(reader)
        assert b"Transfer-Encoding: chunked" in head
        body = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with a_router() as router, a_backend(echo) as address, router.connection() as (reader, writer):
        router.route(address)
        request = b"POST / HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n" + HOST
        for byte in request + b"\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n":
            writer.write(bytes((byte,)))
            await writer.drain()
        assert body_of(await reader.read()) == b"3\r\nabc\r\n0\r\n\r\n"


async def test_connections_to_a_backend_are_kept_and_used_again() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering()(reader, writer)

    async with a_router() as router, a_backend(count) as address:
        router.route(address)
        for _ in range(5):
            assert status_of(await router.get()) == 200
    assert connections == 1


@pytest.mark.parametrize(
    ("answer", "method", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"HEAD", b"", id="HEAD"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"GET", b"", id="304"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", b"", id="204"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"GET",
                     b"2\r\nhi\r\n0\r\n\r\n", id="chunked"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nhi", b"GET", b"2\r\nhi\r\n0\r\n\r\n", id="until close"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                     b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", id="early hints"),
    ],
)  # fmt: skip
async def test_every_kind_of_answer_ends_where_it_ends(answer: bytes, method: bytes, body: bytes) -> None:
    async with a_router() as router, a_backend(saying(answer)) as address:
        router.route(address)
        async with router.connection() as (reader, writer):
            writer.write(method + b" / HTTP/1.1\r\n" + HOST + b"\r\nGET / HTTP/1.1\r\nHost: none\r\n\r\n")
            writer.write_eof()
            received = await reader.read()
        first, _, second = received.partition(b"HTTP/1.1 404 Not Found")
        assert second
        assert body_of(first).startswith(body)
        assert body or not body_of(first)


async def test_http_1_0_gets_content_without_chunks_and_the_end_of_the_connection() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x\r\nyou\r\n0\r\n\r\n"
    async with a_router() as router, a_backend(saying(chunked)) as address:
        router.route(address)
        answer = await router.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n")
    assert body_of(answer) == b"hiyou"
    assert fields_of(answer)["connection"] == "close"


async def test_http_1_0_may_keep_its_connection() -> None:
    async with (
        a_router() as router,
        a_backend(answering()) as address,
        router.connection() as (reader, writer),
    ):
        router.route(address)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n")
            assert fields_of(await head_of(reader))["connection"] == "keep-alive"
            assert await reader.readexactly(5) == b"hello"


async def test_a_client_that_sends_no_more_still_gets_its_answer() -> None:
    async with (
        a_router() as router,
        a_backend(answering(b"late")) as address,
        router.connection() as (reader, writer),
    ):
        router.route(address)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        writer.write_eof()
        assert (await reader.read()).count(b"late") == 2


async def test_continue_is_the_backends_to_say() -> None:
    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Expect: 100-continue\r\n" in await head_of(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    async with a_router() as router, a_backend(patient) as address, router.connection() as (reader, writer):
        router.route(address)
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" + HOST + b"\r\n")
        assert await head_of(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello")
        assert status_of(await head_of(reader)) == 200
        assert await reader.readexactly(5) == b"hello"


async def test_an_answer_before_the_uploads_end_arrives_whole() -> None:
    answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch"
    async with (
        a_router() as router,
        a_backend(saying(answer)) as address,
        router.connection() as (reader, writer),
    ):
        router.route(address)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n" + HOST + b"\r\n" + b"x" * 100_000)
        head = await head_of(reader)
        assert status_of(head) == 413
        assert fields_of(head)["connection"] == "close"
        assert await reader.read() == b"much"


async def test_an_answer_survives_a_backend_that_resets_the_upload() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.read(65536)
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch")
        writer.close()  # with the rest unread: the kernel resets the connection

    async def upload(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for _ in range(1000):
                writer.write(b"x" * 100_000)
                await writer.drain()

    async with a_router() as router, a_backend(refuse) as address:
        router.route(address)
        for _ in range(10):
            async with router.connection() as (reader, writer):
                writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n" + HOST + b"\r\n")
                uploading = asyncio.create_task(upload(writer))
                assert status_of(await head_of(reader)) == 413
                assert await reader.read() == b"much"
                await uploading


async def test_events_are_passed_on_at_once() -> None:
    go_on = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await go_on.wait()
        writer.write(b"data: 2\n\n")

    async with a_router() as router, a_backend(stream) as address, router.connection() as (reader, writer):
        router.route(address)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await head_of(reader)
        assert await reader.readexactly(14) == b"9\r\ndata: 1\n\n\r\n"
        go_on.set()
        assert await reader.readuntil(b"0\r\n\r\n") == b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"


async def test_a_websocket_passes_both_ways_and_counts_as_in_flight() -> None:
    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with a_router() as router, serve(echo, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        router.route(address)
        url = f"ws://shop.localhost:{router.port}/live"
        async with connect(url, host="127.0.0.1", port=router.port) as socket:
            for message in ("hi", "x" * 300_000):
                await socket.send(message)
                assert await socket.recv() == message
            assert sum(router.server.balancer.in_flight().values()) == 1
        await eventually_async(lambda: _logged(router.lines.texts))
        assert sum(router.server.balancer.in_flight().values()) == 0
    assert "status=101" in router.lines.texts[0]
    assert "at=info" in router.lines.texts[0]


async def _logged(texts: list[str]) -> bool:
    return bool(texts)


async def test_a_big_answer_waits_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 << 20))
        for _ in range(200):
            writer.write(b"x" * (1 << 20))
            await writer.drain()
            sent += 1

    async with a_router() as router, a_backend(pour) as address, router.connection() as (reader, writer):
        router.route(address)
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        await head_of(reader)
        await _stands_still(lambda: sent)
        assert sent < 100  # what the kernel's buffers hold, no more
        received = 0
        while block := await reader.read(1 << 20):
            received += len(block)
        assert received == 200 << 20


async def test_a_big_upload_waits_for_a_backend_that_does_not_read() -> None:
    go_on = asyncio.Event()

    async def reluctant(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        received = 0
        while received < 100 << 20:
            received += len(await reader.read(1 << 20))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with a_router() as router, a_backend(reluctant) as address, router.connection() as (reader, writer):
        router.route(address)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n" % (100 << 20) + HOST + b"\r\n")
        sent = 0

        async def upload() -> None:
            nonlocal sent
            for _ in range(100):
                writer.write(b"x" * (1 << 20))
                await writer.drain()
                sent += 1

        uploading = asyncio.create_task(upload())
        await _stands_still(lambda: sent)
        assert sent < 60
        go_on.set()
        await uploading
        assert status_of(await head_of(reader)) == 200


async def _stands_still(read: Callable[[], int]) -> None:
    """Return once a counter that has moved has not done so for a quarter of a second."""
    before = -1
    while read() != before or before <= 0:
        before = read()
        await asyncio.sleep(0.25)
