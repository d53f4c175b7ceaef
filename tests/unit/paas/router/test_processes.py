"""Router processes and the control plane: started, killed, adopted, fed with tables."""

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from paas.domain.ids import InstanceId
from paas.domain.route import RoutingTable
from paas.errors import InvalidError, PaasError, UnreachableError
from paas.router.client import RouterClient
from paas.router.processes import Routers
from paas.router.table import load
from paas.settings import DEFAULT_HTTPS, Address
from tests.descriptors import no_descriptors
from tests.eventually import eventually_async
from tests.unit.paas.router.harness import (
    LOCALHOST,
    a_backend,
    answering,
    body_of,
    head_of,
    status_of,
    table,
)
from tests.unit.paas.router.home import REQUEST, a_home, get, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Routers are watched from the control plane's loop."""
    return "asyncio"


async def test_a_published_table_is_served_and_its_requests_are_logged(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home, count=2) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        assert len(set(routers.pids)) == 2
        for _ in range(4):
            assert body_of(await get(routers)) == b"hello"
        logged = ""

        async def all_logged() -> bool:
            nonlocal logged
            logged += home.lines("router-0") + home.lines("router-1")
            return logged.count("at=info method=GET") == 4

        await eventually_async(all_logged)
        line = logged.strip().splitlines()[0].split("\t")
        assert line[1:5] == ["shop-id", "mini", "router", "0"]
        assert line[5].startswith('at=info method=GET path="/" host=shop.localhost request_id=')
        assert line[5].endswith("status=200 bytes=5")
        assert await routers.in_flight() == {InstanceId(f"i-{address}"): 0}


async def test_a_killed_router_is_back_with_its_table_and_its_backlog(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        (pid,) = routers.pids
        os.kill(pid, signal.SIGSTOP)
        waiting = [asyncio.create_task(get(routers)) for _ in range(20)]
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        answers = await asyncio.gather(*waiting)
        assert {status_of(answer) for answer in answers} == {200}
        assert routers.pids != [pid]


async def test_a_router_killed_again_and_again_comes_back(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        for _ in range(3):
            (pid,) = await eventually_async(lambda: _pids(routers))
            os.kill(pid, signal.SIGKILL)
            assert status_of(await get(routers)) == 200


async def _pids(routers: Routers) -> list[int]:
    return routers.pids


async def test_routers_outlive_their_control_plane_and_are_taken_up_by_the_next(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, a_backend(answering(b"1")) as one, a_backend(answering(b"2")) as two:
        first = home.routers(count=2)
        await first.start()
        await first.publish(table(7, one))
        pids, address = first.pids, first.address
        reader, writer = await asyncio.open_connection(address.host, address.port)
        await first.detach()

        async with started(home, count=2) as second:
            assert (second.pids, second.address) == (pids, address)
            assert body_of(await get(second)) == b"1"
            await second.publish(table(second.version + 1, two))
            assert body_of(await get(second)) == b"2"
            writer.write(REQUEST)  # on the connection from before
            assert status_of(await head_of(reader)) == 200
            writer.close()
            os.kill(pids[0], signal.SIGKILL)  # adopted ones are watched too
            await eventually_async(lambda: _replaced(second, pids[0]))
            assert body_of(await get(second)) == b"2"


async def _replaced(routers: Routers, pid: int) -> bool:
    return len(routers.pids) == 2 and pid not in routers.pids


@pytest.mark.parametrize("left", [b"", b"{", b'{"version":3,"apps":[4]}'])
async def test_versions_only_rise_though_the_tables_file_is_damaged(tmp_path: Path, left: bytes) -> None:
    async with a_home(tmp_path) as home, a_backend(answering(b"1")) as one, a_backend(answering(b"2")) as two:
        first = home.routers()
        await first.start()
        await first.publish(table(7, one))
        await first.detach()
        home.settings.routing_table.write_bytes(left)
        async with started(home) as second:
            assert (second.version, body_of(await get(second))) == (7, b"1")
            await second.publish(table(second.version + 1, two))
            assert body_of(await get(second)) == b"2"
            assert load(home.settings.routing_table).version == 8


async def test_routers_follow_a_table_that_the_disk_does_not_take(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        path = home.settings.routing_table
        in_the_way = path.with_name(f"{path.name}.new")
        in_the_way.mkdir()
        await routers.publish(table(1, address))
        assert (status_of(await get(routers)), path.exists()) == (200, False)

        await _killed(routers)
        assert (status_of(await get(routers)), path.exists()) == (200, False)

        in_the_way.rmdir()
        await _killed(routers)
        assert (status_of(await get(routers)), load(path).version) == (200, 1)


async def _killed(routers: Routers) -> None:
    """Kill the only router, and return once another one follows the table."""
    (pid,) = routers.pids
    os.kill(pid, signal.SIGKILL)
    await eventually_async(lambda: _follows(routers, beside=pid))


async def _follows(routers: Routers, *, beside: int) -> bool:
    with suppress(UnreachableError):
        found = await RouterClient(routers._settings.router_socket(0)).hello()
        return found.pid != beside and found.version == routers.version
    return False


async def test_a_router_comes_back_once_the_control_plane_has_descriptors_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        (pid,) = routers.pids
        with no_descriptors():
            os.kill(pid, signal.SIGKILL)
            await eventually_async(lambda: _has_logged(caplog, "router did not start"))
        assert status_of(await get(routers)) == 200


async def test_a_table_that_nobody_could_be_told_ends_no_router_and_can_be_published_again(
    tmp_path: Path,
) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        pids = routers.pids
        with no_descriptors(), pytest.raises(PaasError, match="could not be asked"):
            await routers.publish(table(1, address))
        await routers.publish(table(1, address))
        assert (status_of(await get(routers)), routers.pids) == (200, pids)


async def _has_logged(caplog: pytest.LogCaptureFixture, message: str) -> bool:
    return any(record.message == message for record in caplog.records if record.levelno >= logging.ERROR)


async def test_an_older_table_of_the_same_control_plane_is_ignored(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        await routers.publish(table(2, address))
        await routers.publish(RoutingTable(1))
        assert status_of(await get(routers)) == 200


async def test_a_new_address_replaces_the_routers(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home:
        first = home.routers()
        await first.start()
        pids = first.pids
        await first.detach()
        with socket.create_server((LOCALHOST, 0)) as other:
            port = other.getsockname()[1]
        second = home.routers(http=Address(LOCALHOST, port))
        await second.start()
        try:
            assert second.address == Address(LOCALHOST, port)
            assert second.pids != pids
        finally:
            await second.stop()


async def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home:
        with socket.create_server((LOCALHOST, 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(
                InvalidError, match=f"127.0.0.1:{port}.*already listens there.*--http or MINI_HTTP"
            ):
                await home.routers(http=Address(LOCALHOST, port)).start()


async def test_the_socket_for_https_outlives_its_control_plane_too(tmp_path: Path) -> None:
    anywhere = Address(LOCALHOST, 0)
    async with a_home(tmp_path) as home:
        first = home.routers(count=2, https=anywhere)
        await first.start()
        pids, https = first.pids, first.https
        assert https is not None
        await first.detach()
        second = home.routers(count=2, https=https)
        await second.start()
        assert (second.pids, second.https) == (pids, https)
        await second.detach()
        third = home.routers(count=2)  # without HTTPS
        await third.start()
        try:
            assert third.https is None
            assert set(third.pids).isdisjoint(pids)
        finally:
            await third.stop()


async def test_an_address_for_https_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home:
        with socket.create_server((LOCALHOST, 0)) as taken:
            address = Address(LOCALHOST, taken.getsockname()[1])
            with pytest.raises(InvalidError, match=r"already listens there.*--https or MINI_HTTPS"):
                await home.routers(https=address).start()


async def test_a_server_starts_without_https_where_its_default_address_is_taken(tmp_path: Path) -> None:
    with suppress(OSError), socket.create_server((DEFAULT_HTTPS.host, DEFAULT_HTTPS.port)):
        async with a_home(tmp_path) as home:
            routers = home.routers(https=DEFAULT_HTTPS)
            await routers.start()
            try:
                assert routers.https is None
            finally:
                await routers.stop()


async def test_the_control_socket_is_private_and_gone_after_the_stop(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home:
        path = home.settings.router_socket(0)
        async with started(home) as routers:
            assert path.stat().st_mode & 0o777 == 0o600
            (pid,) = routers.pids
        assert not path.exists()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(UnreachableError):
            await RouterClient(path).in_flight()


async def test_the_router_imports_nothing_heavy() -> None:
    asked = "import sys, paas.router.__main__; print(*sys.modules)"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", asked, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    heavy = {"pydantic", "sqlalchemy", "fastapi", "uvloop", "cryptography", "httpx", "psutil"}
    assert heavy.isdisjoint(said.decode().split())


async def test_metrics_count_requests_by_status_and_backend(tmp_path: Path) -> None:
    async with a_home(tmp_path) as home, started(home) as routers, a_backend(answering()) as address:
        await routers.publish(table(1, address))
        await get(routers)
        (metrics,) = (await routers.metrics()).values()
        apps = metrics["apps"]
        assert isinstance(apps, dict)
        assert apps["shop"]["requests"] == {"2xx": 1}
        assert sum(apps["shop"]["latency"]["counts"]) == 1
        assert [each["requests"] for each in apps["shop"]["backends"]] == [{"2xx": 1}]


async def test_a_stop_waits_for_what_is_in_flight(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")

    async with a_home(tmp_path) as home, a_backend(slow) as address:
        routers = home.routers()
        await routers.start()
        await routers.publish(table(1, address))
        under_way = asyncio.create_task(get(routers))
        await eventually_async(lambda: _busy(routers))
        stopping = asyncio.create_task(routers.stop())
        await asyncio.sleep(0.1)
        go_on.set()
        assert body_of(await under_way) == b"whole"
        await stopping


async def _busy(routers: Routers) -> bool:
    return sum((await routers.in_flight()).values()) > 0
