"""Checks that people run by hand, and what can be reached beside the router."""

import socket
from pathlib import Path

import pytest

from paas.domain.process import Check, CheckKind
from paas.supervisor.exposure import exposed_ports
from tests.unit.paas.supervisor.house import a_house

pytestmark = pytest.mark.anyio


async def test_every_check_of_every_web_instance_is_asked_once(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        house.scale(web=2)
        await house.deploy({"web": "serve"}, checks=(Check(CheckKind.LIVENESS),))
        house.engine.make_silent(house.running()["web.2"])

        results = await house.supervisor.run_checks(house.app.id)

        assert [(each.instance, each.check, each.ok) for each in results] == [
            ("web.1", "liveness listens", True),
            ("web.2", "liveness listens", False),
        ]
        assert len(house.engine.started) == 2


def test_a_port_on_every_address_is_exposed_and_one_on_loopback_is_not() -> None:
    with socket.create_server(("0.0.0.0", 0)) as everywhere, socket.create_server(("127.0.0.1", 0)) as local:
        found = exposed_ports()

        assert everywhere.getsockname()[1] in found
        assert local.getsockname()[1] not in found
