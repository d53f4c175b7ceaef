"""HTTPS: which certificate a client gets, and what its requests look like behind it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paas.domain.route import RoutedCertificate, RoutingTable
from paas.router.listener import bind, bound_address
from paas.router.server import RouterServer
from paas.settings import Address
from paas.tls.authority import Authority
from paas.tls.files import keep
from tests.unit.paas.router.harness import (
    LOCALHOST,
    Handler,
    Lines,
    a_backend,
    answering,
    body_of,
    fields_of,
    hang_up,
    head_of,
    saying,
    status_of,
    table,
)

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
BIG = b"x" * 3_000_000


class Town:
    """An authority, a router with HTTPS, and one app, shop, behind it."""

    def __init__(self, folder: Path, server: RouterServer) -> None:
        self.folder, self.server = folder, server
        self.authority = Authority.open(folder / "authority.pem", now=NOW)
        self.table = RoutingTable(0)

    @property
    def port(self) -> int:
        (_, https) = self.server.listeners.all()
        return bound_address(https).port

    def route(self, address: str, *hosts: str) -> None:
        """Route shop.localhost and `hosts`; those have certificates."""
        routes = table(self.table.version + 1, address)
        certificates = tuple(RoutedCertificate(host, self.certificate(host)) for host in hosts)
        (app,) = routes.apps
        app = replace(app, hosts=(*app.hosts, *hosts), certificates=certificates)
        self.table = replace(routes, apps=(app,))
        self.server.apply(self.table)

    def certificate(self, host: str) -> str:
        path = self.folder / f"{host.replace('*', '_')}.pem"
        if not path.exists():
            keep(self.authority.issue(host, now=NOW).pair, path)
        return str(path)

    def spoil(self, host: str) -> None:
        Path(self.certificate(host)).write_text("nothing")

    async def connect(self, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trust = ssl.create_default_context(cadata=self.authority.certificate)
        trust.set_alpn_protocols(["h2", "http/1.1"])
        return await asyncio.open_connection(LOCALHOST, self.port, ssl=trust, server_hostname=host)

    async def ask(self, host: str, *, body: bytes = b"", method: str = "GET") -> bytes:
        reader, writer = await self.connect(host)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} / HTTP/1.1\r\nHost: {host}\r\n{length}Connection: close\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            await hang_up(writer)


@asynccontextmanager
async def a_town(folder: Path) -> AsyncIterator[Town]:
    listeners = [bind(Address(LOCALHOST, 0)) for _ in range(2)]
    server = RouterServer(listeners[0], lines=Lines(), https=listeners[1])
    server.start()
    try:
        yield Town(folder, server)
    finally:
        await server.stop()
        for listener in listeners:
            listener.close()


async def test_each_host_gets_its_own_certificate(tmp_path: Path) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.route(address, "shop.example.com", "*.example.org")
        for host in ("shop.example.com", "www.example.org", "SHOP.example.com"):
            assert body_of(await town.ask(host)) == b"hello"


async def test_the_backend_is_told_that_the_client_spoke_https(tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with a_town(tmp_path) as town, a_backend(answering(seen=seen)) as address:
        town.route(address, "shop.example.com")
        await town.ask("shop.example.com")
        fields = fields_of(seen[0])
        assert fields["x-forwarded-proto"] == "https"
        assert fields["x-forwarded-port"] == str(town.port)
        assert fields["x-forwarded-host"] == "shop.example.com"


@pytest.mark.parametrize("host", ["shop.localhost", "other.example.com"])
async def test_a_host_without_a_certificate_is_refused_by_an_alert(tmp_path: Path, host: str) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.route(address, "shop.example.com")
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized[ _]name"):
            await town.connect(host)


async def test_a_new_table_brings_new_certificates_and_takes_old_ones_away(tmp_path: Path) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.route(address, "shop.example.com")
        before = await town.connect("shop.example.com")
        town.route(address, "www.example.com")
        assert body_of(await town.ask("www.example.com")) == b"hello"
        with pytest.raises(ssl.SSLError):
            await town.connect("shop.example.com")
        before[1].write(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")  # what is open stays open
        assert status_of(await head_of(before[0])) == 200
        await hang_up(before[1])


async def test_one_bad_certificate_does_not_take_the_other_hosts_down(tmp_path: Path) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.spoil("bad.example.com")
        town.route(address, "bad.example.com", "shop.example.com")
        assert body_of(await town.ask("shop.example.com")) == b"hello"
        with pytest.raises(ssl.SSLError):
            await town.connect("bad.example.com")


async def test_big_bodies_go_whole_both_ways(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int(fields_of(await head_of(reader))["content-length"])
        body = await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, body))
        await writer.drain()

    async with a_town(tmp_path) as town, a_backend(echo) as address:
        town.route(address, "shop.example.com")
        answer = await town.ask("shop.example.com", method="POST", body=BIG)
        assert body_of(answer) == BIG


async def test_an_answer_without_a_length_ends_with_the_word_of_tls(tmp_path: Path) -> None:
    answer: Handler = saying(b"HTTP/1.0 200 OK\r\n\r\n" + BIG)
    async with a_town(tmp_path) as town, a_backend(answer) as address:
        town.route(address, "shop.example.com")
        reader, writer = await town.connect("shop.example.com")
        writer.write(b"GET / HTTP/1.0\r\nHost: shop.example.com\r\n\r\n")
        async with asyncio.timeout(10):
            assert body_of(await reader.read()) == BIG
        await hang_up(writer)


async def test_requests_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.route(address, "shop.example.com")
        reader, writer = await town.connect("shop.example.com")
        for _ in range(5):
            writer.write(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            assert status_of(await head_of(reader)) == 200
            assert await reader.readexactly(5) == b"hello"
        await hang_up(writer)


async def test_http_1_1_is_what_is_spoken(tmp_path: Path) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.route(address, "shop.example.com")
        _, writer = await town.connect("shop.example.com")
        spoken = writer.get_extra_info("ssl_object")
        assert (spoken.selected_alpn_protocol(), spoken.version()) == ("http/1.1", "TLSv1.3")
        await hang_up(writer)


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n", b"\x16\x03\x01\x00\x05nonsense", b""]
)
async def test_who_does_not_speak_tls_is_hung_up_on(tmp_path: Path, said: bytes) -> None:
    async with a_town(tmp_path) as town, a_backend(answering()) as address:
        town.route(address, "shop.example.com")
        reader, writer = await asyncio.open_connection(LOCALHOST, town.port)
        writer.write(said)
        writer.write_eof()
        answer = b""
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                answer = await reader.read()
        assert b"HTTP" not in answer
        await hang_up(writer)
        assert body_of(await town.ask("shop.example.com")) == b"hello"
