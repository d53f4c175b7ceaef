"""Several routers on one listening socket, fewer of them, and routers that others take over from."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from paas.domain.ids import InstanceId
from paas.errors import UnreachableError
from paas.router.client import RouterClient
from paas.router.processes import Routers
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    HOST,
    a_backend,
    answering,
    body_of,
    fields_of,
    head_of,
    status_of,
    table,
)
from tests.unit.paas.router.home import Home, a_home, get, started

pytestmark = pytest.mark.anyio

KEPT = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
MANY = 60


@pytest.fixture
def anyio_backend() -> str:
    """Routers are watched from the control plane's loop."""
    return "asyncio"


class Client:
    """A client that keeps its connection for as long as it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self) -> bytes:
        """Return the head of the answer; raises OSError or EOFError where there is none."""
        async with asyncio.timeout(10):
            self.writer.write(KEPT)
            head = await head_of(self.reader)
            await self.reader.readexactly(int(fields_of(head)["content-length"]))
            return head

    async def is_told_to_leave(self) -> bool:
        """Return whether the next answer says that the connection ends with it."""
        return fields_of(await self.ask()).get("connection") == "close"


@asynccontextmanager
async def clients(routers: Routers, count: int) -> AsyncIterator[list[Client]]:
    """Connect so many clients, each of which has had an answer."""
    async with AsyncExitStack() as stack:
        connected = []
        for _ in range(count):
            client = Client(*await asyncio.open_connection(routers.address.host, routers.address.port))
            stack.callback(client.writer.close)
            connected.append(client)
        await asyncio.gather(*(client.ask() for client in connected))
        yield connected


async def connections(routers: Routers) -> list[int]:
    """Return how many clients each router has, in the order of their pids."""
    return [int(str(each["connections"])) for each in (await routers.metrics()).values()]


async def test_every_router_follows_a_published_table(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home, count=3) as routers, a_backend(answering()) as address:
        await routers.publish(table(7, address))
        doors = [RouterClient(home.settings.router_socket(slot)) for slot in range(3)]
        assert [(await door.hello()).version for door in doors] == [7, 7, 7]
        assert sorted([(await door.hello()).pid for door in doors]) == sorted(routers.pids)


async def test_all_routers_serve_and_their_counts_are_summed(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home, count=2) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        async with clients(routers, MANY):
            assert sum(await connections(routers)) == MANY
        answers = [each["apps"] for each in (await routers.metrics()).values()]
        assert (
            sum(apps["shop"]["requests"].get("2xx", 0) for apps in answers if isinstance(apps, dict)) == MANY
        )


async def test_a_drain_hears_of_what_every_router_has_in_flight(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")

    async with a_home(tmp_path) as home, started(home, count=2) as routers, a_backend(slow) as address:
        instance = InstanceId(f"i-{address}")
        await routers.publish(table(1, address))
        under_way = [asyncio.create_task(get(routers)) for _ in range(MANY)]
        await eventually_async(lambda: _is_in_flight(routers, instance, MANY))
        await routers.publish(table(2))
        assert (await routers.in_flight())[instance] == MANY
        go_on.set()
        assert {status_of(answer) for answer in await asyncio.gather(*under_way)} == {200}
        await eventually_async(lambda: _is_in_flight(routers, instance, 0))


async def _is_in_flight(routers: Routers, instance: InstanceId, count: int) -> bool:
    return (await routers.in_flight()).get(instance, 0) == count


async def test_a_router_that_does_not_answer_has_not_nothing_in_flight(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home, count=2) as routers:
        stopped = routers.pids[1]
        os.kill(stopped, signal.SIGSTOP)
        try:
            with pytest.raises(UnreachableError):
                await routers.in_flight()
        finally:
            os.kill(stopped, signal.SIGCONT)


async def test_a_killed_router_takes_its_own_connections_alone_with_it(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home, count=2) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        async with clients(routers, MANY) as connected:
            of_the_killed, of_the_other = await connections(routers)
            os.kill(routers.pids[0], signal.SIGKILL)
            anew = [status_of(await get(routers)) for _ in range(10)]
            answers = await asyncio.gather(*(client.ask() for client in connected), return_exceptions=True)
        assert anew == [200] * 10
        lost = [answer for answer in answers if isinstance(answer, BaseException)]
        assert (len(lost), len(answers) - len(lost)) == (of_the_killed, of_the_other)


async def taken_over(home: Home, first: Routers, *, count: int, code: str) -> Routers:
    """Let go of the routers, and return those of a next control plane, which wants so many of this code."""
    await first.detach()
    second = home.routers(count=count, code=code)
    await second.start()
    return second


@contextmanager
def held_up(pid: int) -> Iterator[None]:
    """Stop a router meanwhile, so that connections go to the other one."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_router_too_many_retires_once_its_clients_know(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, a_backend(answering()) as address, AsyncExitStack() as connected:
        first = home.routers(count=2)
        await first.start()
        await first.publish(table(1, address))
        kept, left_over = first.pids
        with held_up(left_over):
            of_the_kept = await connected.enter_async_context(clients(first, 5))
        with held_up(kept):
            of_the_left_over = await connected.enter_async_context(clients(first, 5))
        second = await taken_over(home, first, count=1, code="1")
        try:
            assert second.pids == [kept, left_over]
            assert not any([await client.is_told_to_leave() for client in of_the_kept])
            assert all([await client.is_told_to_leave() for client in of_the_left_over])
            await eventually_async(lambda: _are(second, [kept]))
            assert not home.settings.router_socket(1).exists()
        finally:
            await second.stop()


async def test_a_router_that_does_not_answer_is_ended_when_it_is_found(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, a_backend(answering()) as address:
        first = home.routers(count=2)
        await first.start()
        await first.publish(table(1, address))
        answering_one, hung = first.pids
        os.kill(hung, signal.SIGSTOP)
        second = await taken_over(home, first, count=2, code="1")
        try:
            assert answering_one in second.pids
            assert hung not in second.pids
            assert len(second.pids) == 2
            with pytest.raises(ProcessLookupError):
                os.kill(hung, 0)
        finally:
            await second.stop()


async def _are(routers: Routers, pids: Sequence[int]) -> bool:
    return routers.pids == list(pids)


async def test_a_router_of_other_code_hands_over_without_a_request_lost(tmp_path: Path) -> None:
    async with (
        a_home(tmp_path) as home,
        a_backend(answering(b"old")) as old,
        a_backend(answering(b"new")) as new,
    ):
        first = home.routers()
        await first.start()
        await first.publish(table(1, old))
        (before,) = first.pids
        ended = asyncio.Event()
        asking = [
            asyncio.create_task(_ask_until(ended, first.address.host, first.address.port)) for _ in range(8)
        ]
        async with clients(first, 1) as (silent,):
            second = await taken_over(home, first, count=1, code="2")
            try:
                await second.publish(
                    table(2, new)
                )  # the retiring one follows it too, for those who are still on it
                assert before in second.pids
                assert body_of(await get(second)) == b"new"
                head = await silent.ask()
                assert fields_of(head)["connection"] == "close"
                await eventually_async(lambda: _has_left(second, before))
            finally:
                ended.set()
                counts = await asyncio.gather(*asking)
                await second.stop()
        assert min(counts) > 10


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_twenty_upgrades_under_load_lose_no_request(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, a_backend(answering()) as address:
        routers = home.routers(count=2, code="0")
        await routers.start()
        await routers.publish(table(1, address))
        ended = asyncio.Event()
        door = routers.address
        asking = [asyncio.create_task(_ask_until(ended, door.host, door.port)) for _ in range(16)]
        for number in range(1, 21):
            before = routers.pids
            routers = await taken_over(home, routers, count=2, code=str(number))
            await eventually_async(lambda: _are_gone(routers, before), within=30)  # noqa: B023 - awaited at once
        ended.set()
        asked = sum(await asyncio.gather(*asking))
        await routers.stop()
    print(f"20 upgrades of two routers: {asked} requests, none lost")


async def _are_gone(routers: Routers, pids: Sequence[int]) -> bool:
    return not set(pids) & set(routers.pids)


async def _has_left(routers: Routers, pid: int) -> bool:
    return pid not in routers.pids and len(routers.pids) == 1


async def _ask_until(ended: asyncio.Event, host: str, port: int) -> int:
    """Ask again and again, on a new connection only where the one before was said to end; return how often."""
    asked = 0
    while not ended.is_set():
        client = Client(*await asyncio.open_connection(host, port))
        try:
            while not ended.is_set():
                head = await client.ask()
                assert status_of(head) == 200
                asked += 1
                if fields_of(head).get("connection") == "close":
                    break
        finally:
            client.writer.close()
    return asked
