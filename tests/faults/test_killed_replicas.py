"""`kill -9` of one of two replicas under load: no request that can be repeated fails, and no POST is sent twice."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.faults.open_loop import OpenLoop
from tests.faults.replica import Replica, posts
from tests.unit.paas.router.harness import LOCALHOST, table
from tests.unit.paas.router.home import a_home, started

pytestmark = pytest.mark.anyio

RATE = 200


def two_ports() -> list[int]:
    with socket.create_server((LOCALHOST, 0)) as one, socket.create_server((LOCALHOST, 0)) as two:
        return [int(each.getsockname()[1]) for each in (one, two)]


async def assert_kills_go_unnoticed(folder: Path, *, kills: int) -> str:
    """Kill the two replicas by turns and assert that nobody notices; return what was seen."""
    ledger = folder / "ledger"
    replicas = [
        Replica(port, name, ledger=ledger) for port, name in zip(two_ports(), ("one", "two"), strict=True)
    ]
    for replica in replicas:
        await asyncio.to_thread(replica.start)
    try:
        async with a_home(folder) as home, started(home) as routers:
            await routers.publish(table(1, *(each.address for each in replicas)))
            with OpenLoop((LOCALHOST, routers.address.port), "shop.localhost", rate=RATE) as load:
                for number in range(kills):
                    killed = replicas[number % 2]
                    await asyncio.to_thread(killed.kill)
                    await asyncio.to_thread(load.flows, RATE // 2)
                    await asyncio.to_thread(killed.start)
                    await asyncio.to_thread(load.flows, RATE // 2)
    finally:
        for replica in replicas:
            replica.kill()
    sent = posts(ledger)
    failed = [each for each in load.lost if each.method == "GET"]
    assert failed == []
    assert set(sent.values()) == {1}
    answered = [each.number for each in load.outcomes if each.method == "POST" and each.status == 200]
    assert set(answered) <= set(sent)
    return f"{len(load.outcomes)} requests: 0 GETs failed, {len(load.lost)} POSTs ended with their replica, none sent twice"


async def test_two_kills_of_a_replica_go_unnoticed(tmp_path: Path) -> None:
    await assert_kills_go_unnoticed(tmp_path, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_twenty_kills_of_a_replica_go_unnoticed(tmp_path: Path) -> None:
    print(f"20 kills: {await assert_kills_go_unnoticed(tmp_path, kills=20)}")
