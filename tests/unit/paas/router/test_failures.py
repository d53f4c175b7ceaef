"""What a client is told, and what is tried again, when something goes wrong."""

import asyncio
import json
import socket
import struct
from contextlib import suppress

import pytest

from paas.domain.route import RoutingTable
from paas.router.limits import Limits
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    LOCALHOST,
    Handler,
    Running,
    a_backend,
    a_router,
    answering,
    body_of,
    fields_of,
    hang_up,
    head_of,
    saying,
    status_of,
    ticket,
)

pytestmark = pytest.mark.anyio

POST = b"POST /pay HTTP/1.1\r\nConnection: close\r\nContent-Length: 4\r\n" + HOST + b"\r\nonce"


def a_free_address() -> str:
    with socket.create_server((LOCALHOST, 0)) as taken:
        return f"{LOCALHOST}:{taken.getsockname()[1]}"


async def logged(router: Running, part: str) -> str:
    """Return the first line with `part` in it, once there is one."""

    async def find() -> str:
        return next((text for text in router.lines.texts if part in text), "")

    return await eventually_async(find)


async def test_an_unknown_host_is_named_on_the_page() -> None:
    async with a_router() as router:
        answer = await router.ask(b"GET / HTTP/1.1\r\nConnection: close\r\nHost: nobody.localhost\r\n\r\n")
    assert status_of(answer) == 404
    assert b"No such app: nobody.localhost" in body_of(answer)
    assert fields_of(answer)["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (b"application/json", "application/json"),
        (b"text/plain", "text/plain; charset=utf-8"),
        (b"text/html, application/json", "text/html; charset=utf-8"),
        (b"*/*", "text/html; charset=utf-8"),
    ],
)
async def test_an_error_page_is_of_the_kind_asked_for(accept: bytes, kind: str) -> None:
    async with a_router() as router:
        router.route()
        answer = await router.get(lines=b"Accept: " + accept + b"\r\n")
    assert fields_of(answer)["content-type"] == kind
    assert int(fields_of(answer)["content-length"]) == len(body_of(answer))
    if kind == "application/json":
        assert json.loads(body_of(answer))["code"] == "H14"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: shop.localhost\n\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 70_000,
    ],
)
async def test_bad_bytes_are_refused_and_end_the_connection(request_bytes: bytes) -> None:
    async with a_router() as router, a_backend(answering()) as address:
        router.route(address)
        answer = await router.ask(request_bytes)
    assert status_of(answer) in (400, 431)
    assert fields_of(answer)["connection"] == "close"
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_no_bytes_after_a_bad_chunk_reach_the_backend() -> None:
    received = bytearray()
    gone = asyncio.Event()

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while block := await reader.read(1000):
                received.extend(block)
        finally:
            gone.set()

    async with a_router() as router, a_backend(collect) as address, router.connection() as (reader, writer):
        router.route(address)
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n2\r\nok\r\n")
        await eventually_async(lambda: _holds(received, b"ok"))
        writer.write(b"2\r\nbad0\r\n\r\nGET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
        assert status_of(await reader.read()) == 400
        await gone.wait()
    assert b"smuggled" not in received


async def _holds(received: bytearray, part: bytes) -> bool:
    return part in received


async def test_no_instances_is_h14() -> None:
    async with a_router() as router:
        router.route()
        answer = await router.get('/"at=info')
        assert status_of(answer) == 503
        assert b"No web instances running" in answer
    (text,) = router.lines.texts
    assert text.startswith('at=error code=H14 desc="No web instances running" method=GET path="/%22at=info" ')
    assert text.endswith("status=503 bytes=0")


async def test_maintenance_is_h80() -> None:
    async with a_router() as router, a_backend(answering()) as address:
        router.route(address, maintenance=True)
        assert b"Maintenance mode" in await router.get()
        assert "code=H80" in await logged(router, "at=")


async def test_backends_that_all_refuse_are_h10() -> None:
    async with a_router(Limits(hold=0.1, aside=0.02)) as router:
        router.route(a_free_address(), a_free_address())
        assert b"App crashed" in await router.get()
        assert "code=H10" in await logged(router, "at=")


async def test_a_refused_connection_is_tried_on_another_backend_even_for_a_post() -> None:
    async with a_router() as router, a_backend(answering()) as address:
        router.route(a_free_address(), address, a_free_address())
        for _ in range(6):
            assert status_of(await router.ask(POST)) == 200


async def test_a_backend_that_refused_is_tried_again_after_a_moment() -> None:
    refusing = a_free_address()
    port = int(refusing.rpartition(":")[2])
    async with a_router(Limits(aside=0.05)) as router, a_backend(answering(b"first")) as address:
        router.route(address, refusing)
        for _ in range(4):
            assert body_of(await router.get()) == b"first"
        async with a_backend(answering(b"second"), port=port):

            async def second_answers() -> bool:
                return body_of(await router.get()) == b"second"

            await eventually_async(second_answers)


async def test_a_request_is_held_while_an_app_gets_its_next_backend() -> None:
    async with a_router(Limits(hold=10)) as router, a_backend(answering(b"back")) as address:
        router.route(a_free_address())
        router.route()
        waiting = asyncio.create_task(router.get())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        router.route(address)
        assert body_of(await waiting) == b"back"


async def test_a_held_request_learns_that_its_app_has_gone() -> None:
    async with a_router(Limits(hold=10)) as router:
        router.route(a_free_address())
        waiting = asyncio.create_task(router.get())
        await asyncio.sleep(0.05)
        router.server.apply(RoutingTable(9))
        assert status_of(await waiting) == 404


async def test_a_connection_closed_without_an_answer_is_h13() -> None:
    async with a_router() as router, a_backend(saying(b"")) as address:
        router.route(address)
        assert b"Connection closed without response" in await router.get()
        assert "code=H13" in await logged(router, "at=")


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"],
    ids=["SSH", "status 999"],
)
async def test_an_answer_that_is_no_http_is_h17(answer: bytes) -> None:
    async with a_router() as router, a_backend(saying(answer)) as address:
        router.route(address)
        assert b"Poorly formatted HTTP response" in await router.get()
        assert "code=H17" in await logged(router, "at=")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_a_broken_off_answer_cannot_pass_for_a_whole_one(answer: bytes) -> None:
    async with (
        a_router() as router,
        a_backend(saying(answer)) as address,
        router.connection() as (reader, writer),
    ):
        router.route(address)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        received = bytearray()
        with suppress(ConnectionResetError):
            while block := await reader.read(1000):
                received += block
        assert not received.endswith((b"0\r\n\r\n", b"half" + b"x" * 6))
        assert "code=H18" in await logged(router, "at=error")


def dying_when_asked_twice(heads: list[bytes]) -> Handler:
    """Return a backend that answers the first request of a connection, and closes it on the second, unanswered."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await head_of(reader)
        heads.append(head)
        await reader.readexactly(int(fields_of(head).get("content-length", "0")))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        heads.append(await head_of(reader))

    return handle


async def test_a_get_on_a_kept_connection_that_turned_out_dead_is_sent_once_more() -> None:
    heads: list[bytes] = []
    async with a_router() as router, a_backend(dying_when_asked_twice(heads)) as address:
        router.route(address)
        assert body_of(await router.get("/1")) == b"ok"
        assert body_of(await router.get("/2")) == b"ok"
    assert [head.split(b" ")[1] for head in heads] == [b"/1", b"/2", b"/2"]


async def test_a_get_is_not_sent_a_third_time() -> None:
    heads: list[bytes] = []

    async def first_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head_of(reader))
        if len(heads) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            heads.append(await head_of(reader))

    async with a_router() as router, a_backend(first_only) as address:
        router.route(address)
        await router.get("/1")
        assert status_of(await router.get("/2")) == 503
    assert [head.split(b" ")[1] for head in heads] == [b"/1", b"/2", b"/2"]


async def test_a_get_is_not_sent_a_third_time_to_another_backend_either() -> None:
    kept: list[bytes] = []
    fresh: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        fresh.append(await head_of(reader))

    async with (
        a_router() as router,
        a_backend(dying_when_asked_twice(kept)) as one,
        a_backend(silent) as two,
        a_backend(silent) as three,
    ):
        router.route(one)
        assert body_of(await router.get("/1")) == b"ok"
        router.route(one, two, three)
        await router.get("/2")
    assert [head.split(b" ")[1] for head in (*kept, *fresh)] == [b"/1", b"/2", b"/2"]


async def test_a_backend_that_closes_kept_connections_keeps_its_share_of_traffic() -> None:
    closing: list[bytes] = []
    async with (
        a_router(Limits(aside=60)) as router,
        a_backend(dying_when_asked_twice(closing)) as one,
        a_backend(answering(b"other")) as two,
    ):
        router.route(one, two)
        bodies = [body_of(await router.get(f"/{number}")) for number in range(60)]
    assert set(bodies) == {b"ok", b"other"}
    assert bodies.count(b"ok") >= 5  # a third of them are to be expected; one aside would have had one
    assert len(closing) > bodies.count(b"ok")


async def test_a_session_stays_with_its_backend_when_that_closes_a_kept_connection() -> None:
    async with (
        a_router() as router,
        a_backend(dying_when_asked_twice([])) as one,
        a_backend(answering()) as two,
    ):
        router.route(one, two, sticky=True)
        cookie = f"Cookie: mini_backend={ticket(one)}\r\n".encode()
        answers = [await router.get(lines=cookie) for _ in range(5)]
    assert [body_of(answer) for answer in answers] == [b"ok"] * 5
    assert not any("set-cookie" in fields_of(answer) for answer in answers)


async def test_a_get_whose_backend_dies_on_a_fresh_connection_goes_to_another_one() -> None:
    heads: list[bytes] = []
    async with (
        a_router() as router,
        a_backend(saying(b"")) as dying,
        a_backend(answering(seen=heads)) as living,
    ):
        router.route(dying, living)
        assert {status_of(await router.get(f"/{number}")) for number in range(10)} == {200}
    assert len(heads) == 10


async def test_a_get_that_kills_its_only_backend_is_not_sent_again() -> None:
    heads: list[bytes] = []

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head_of(reader))

    async with a_router() as router, a_backend(die) as address:
        router.route(address)
        assert status_of(await router.get()) == 503
    assert len(heads) == 1


async def test_a_get_that_kills_every_backend_kills_two_at_most() -> None:
    heads: list[bytes] = []

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head_of(reader))

    async with a_router() as router, a_backend(die) as one, a_backend(die) as two, a_backend(die) as three:
        router.route(one, two, three)
        assert status_of(await router.get()) == 503
    assert len(heads) == 2


async def test_a_post_never_meets_a_dead_kept_connection() -> None:
    heads: list[bytes] = []
    async with a_router() as router, a_backend(dying_when_asked_twice(heads)) as address:
        router.route(address)
        assert body_of(await router.get("/1")) == b"ok"
        assert body_of(await router.ask(POST)) == b"ok"
    assert [head.split(b" ")[0] for head in heads] == [b"GET", b"POST"]


async def test_a_post_that_went_out_is_not_sent_again() -> None:
    heads: list[bytes] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head_of(reader))

    async with a_router() as router, a_backend(swallow) as one, a_backend(swallow) as two:
        router.route(one, two)
        assert status_of(await router.ask(POST)) == 503
    assert len(heads) == 1


async def test_bytes_after_an_answer_are_nobodys() -> None:
    async def two_for_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head_of(reader)
            ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            writer.write(ok + ok.replace(b"ok", b"no"))

    async with a_router() as router, a_backend(two_for_one) as address:
        router.route(address)
        for _ in range(3):
            assert body_of(await router.get()) == b"ok"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_silent_backend_is_h12() -> None:
    async with a_router(Limits(first_byte=0.1)) as router, a_backend(silent) as address:
        router.route(address)
        answer = await router.get()
        assert status_of(answer) == 503
        assert b"Request timeout" in answer
        assert "code=H12" in await logged(router, "at=")
        assert "instance=web.1" in await logged(router, "at=")


async def test_an_answer_that_stands_still_is_h15() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await reader.read()

    async with (
        a_router(Limits(idle=0.1)) as router,
        a_backend(stall) as address,
        router.connection() as (_, writer),
    ):
        router.route(address)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert "code=H15" in await logged(router, "at=error")


async def test_an_upload_that_stands_still_is_h28() -> None:
    async with a_router(Limits(idle=0.1)) as router, a_backend(silent) as address:
        router.route(address)
        assert status_of(await router.ask(POST[:-1])) == 408
        assert "code=H28" in await logged(router, "at=")


async def test_a_head_that_comes_too_slowly_is_given_up() -> None:
    async with a_router(Limits(head=0.1)) as router:
        assert status_of(await router.ask(b"GET / HTTP/1.1\r\nHost: s")) == 408


async def test_a_connection_without_requests_is_closed() -> None:
    async with a_router(Limits(keep_alive=0.1)) as router:
        assert await router.ask(b"") == b""


async def test_a_client_that_goes_is_h27_and_lets_its_backend_know() -> None:
    gone = asyncio.Event()

    async def wait_for_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        assert await reader.read() == b""
        gone.set()

    async with a_router() as router, a_backend(wait_for_end) as address:
        router.route(address)
        _, writer = await asyncio.open_connection(LOCALHOST, router.port)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await eventually_async(lambda: _in_flight(router))
        linger = struct.pack("ii", 1, 0)  # close with a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await hang_up(writer)
        async with asyncio.timeout(5):
            await gone.wait()
        assert "status=499" in await logged(router, "code=H27")


async def _in_flight(router: Running) -> int:
    return sum(router.server.balancer.in_flight().values())
