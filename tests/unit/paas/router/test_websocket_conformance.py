"""A public conformance suite for WebSockets, the cases of Autobahn's, sent to an echo server directly and through the
router: each ends the same way, and none fails."""

import asyncio
from collections.abc import Sequence

import pytest
from kosoku import run_fuzzingclient
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import RemoteProtocolError

from paas.domain.ids import AppId, InstanceId
from paas.domain.names import AppName
from paas.domain.route import Backend, RoutedApp, RoutingTable
from tests.unit.paas.router.harness import LOCALHOST, a_backend, a_router

pytestmark = pytest.mark.anyio

BIG = ["9.*", "12.*", "13.*"]
"""Sixteen megabytes in one message, a thousand compressed ones: minutes in all."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one WebSocket that says whatever it hears, once it has heard all of it."""
    peer, heard = WSConnection(ConnectionType.SERVER), list[bytes]()
    while not writer.is_closing():
        data = await reader.read(65536)
        try:
            peer.receive_data(data or None)
            for event in peer.events():
                writer.write(_answer(peer, event, heard))
        except RemoteProtocolError as error:
            if error.event_hint is not None:
                writer.write(peer.send(error.event_hint))
            return
        await writer.drain()
        if peer.state is ConnectionState.CLOSED:
            return


def _answer(peer: WSConnection, event: Event, heard: list[bytes]) -> bytes:
    match event:
        case Request():
            return peer.send(AcceptConnection(extensions=[PerMessageDeflate()]))
        case Ping() | CloseConnection():
            return peer.send(event.response()) if peer.state is not ConnectionState.CLOSED else b""
        case TextMessage() | BytesMessage():
            is_text = isinstance(event, TextMessage)
            heard.append(event.data.encode() if isinstance(event, TextMessage) else bytes(event.data))
            if event.message_finished:
                whole = b"".join(heard)
                heard.clear()
                return peer.send(TextMessage(whole.decode()) if is_text else BytesMessage(whole))
    return b""


def routed(address: str) -> RoutingTable:
    """Return a table in which the suite's own Host is routed."""
    backend = Backend(InstanceId("i"), "web.1", 1, address)
    return RoutingTable(1, (RoutedApp(AppId("shop-id"), AppName("shop"), (LOCALHOST,), (backend,)),))


async def outcomes(
    address: str, *, cases: Sequence[str] = (), without: Sequence[str] = ()
) -> dict[str, tuple[str, str]]:
    """Return for each case how its messages went and how its connection was closed; raises where one fails."""
    results = await run_fuzzingclient(f"ws://{address}", cases or None, without or None, concurrency=4)
    return {each.case_id: (each.behavior.value, each.behavior_close.value) for each in results}


async def assert_the_router_changes_nothing(*, cases: Sequence[str] = (), without: Sequence[str] = ()) -> int:
    """Assert that every case passes through the router, and as it does without; return how many there are."""
    async with a_backend(echo) as address, a_router() as router:
        router.server.apply(routed(address))
        direct = await outcomes(address, cases=cases, without=without)
        through = await outcomes(f"{LOCALHOST}:{router.port}", cases=cases, without=without)
    assert through == direct
    return len(through)


async def test_every_small_case_passes_as_it_does_without_the_router() -> None:
    assert await assert_the_router_changes_nothing(without=BIG) > 200


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the suite leaves its files open
@pytest.mark.parametrize("cases", BIG)
async def test_every_big_case_passes_as_it_does_without_the_router(cases: str) -> None:
    print(f"{cases}: {await assert_the_router_changes_nothing(cases=[cases])} cases passed")
