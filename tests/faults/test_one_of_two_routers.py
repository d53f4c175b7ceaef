"""A server with two routers, one of which is killed: nothing is lost but what it had accepted."""

import pytest

from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.faults.killing import end
from tests.faults.traffic import Traffic

pytestmark = pytest.mark.only("process", why="the router is the same in front of containers")

SETTINGS = {"MINI_ROUTERS": "2", "MINI_STOP_GRACE": "5", "MINI_DRAIN_LIMIT": "1"}
CLIENTS = 5
KILLS = 3


def routers(mini: Mini) -> list[int]:
    pids: list[int] = mini.api("/v1/server")["pids"]["router"]
    return pids


def test_one_of_two_routers_dies_and_the_other_serves_on(mini: Mini, chatty: Repository) -> None:
    with Traffic(mini.http, chatty.name) as traffic:
        for number in range(KILLS):
            killed = routers(mini)[number % 2]
            end(killed)
            traffic.flows()
            eventually(lambda killed=killed: len(routers(mini)) == 2 and killed not in routers(mini))  # type: ignore[misc]  # bound at once
        mini.ok("config", "set", "ROUND=1", "-a", chatty.name)
        traffic.flows()
    assert traffic.refused == 0
    assert len(traffic.lost) <= KILLS * CLIENTS
    assert {versions[-1] for versions in traffic.versions} == {2}
