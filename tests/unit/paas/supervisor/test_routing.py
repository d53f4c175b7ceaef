"""Which backends are in the routing table, and how its versions rise."""

import asyncio
from dataclasses import replace

import pytest

from paas.domain.instance import Instance, InstanceState
from paas.domain.route import Backend
from paas.supervisor.desired import Desired
from paas.supervisor.routing import Publisher, routed_apps
from paas.testing.clock import FakeClock
from paas.testing.ports import FakeRouting
from tests.eventually import eventually_async
from tests.unit.paas.supervisor.worlds import a_release, an_instance, desire

pytestmark = pytest.mark.anyio

V1, V2 = a_release(1), a_release(2)
WEB_1 = an_instance(V1, "web.1")


def _backends(desired: Desired, *instances: Instance) -> list[str]:
    (app,) = routed_apps(desired, instances)
    return [f"{backend.name} v{backend.version} {backend.address}" for backend in app.backends]


def test_healthy_web_instances_of_the_serving_release_get_requests() -> None:
    worker, web_2 = an_instance(V1, "worker.1"), an_instance(V1, "web.2")

    assert _backends(desire(V1, V2), web_2, WEB_1, worker, an_instance(V2, "web.1")) == [
        "web.1 v1 127.0.0.1:20001",
        "web.2 v1 127.0.0.1:20002",
    ]


@pytest.mark.parametrize("state", [InstanceState.STARTING, InstanceState.DRAINING, InstanceState.STOPPING])
def test_only_instances_that_are_up_get_requests(state: InstanceState) -> None:
    assert _backends(desire(V1), replace(WEB_1, state=state)) == []


def test_both_copies_get_requests_while_a_restart_runs_both() -> None:
    newer = replace(WEB_1, id=an_instance(V1, "web.1", copy="b").id, address="127.0.0.1:20009", epoch=1)

    assert len(_backends(desire(V1), WEB_1, newer)) == 2


def test_an_app_that_serves_nothing_yet_is_known_by_its_hosts() -> None:
    (app,) = routed_apps(desire(None), [])

    assert (app.hosts, app.backends) == (("shop.localhost",), ())


async def test_only_a_change_makes_a_new_version_and_versions_go_on_after_a_restart() -> None:
    routing, acknowledged = FakeRouting(), asyncio.Event()
    publisher = Publisher(routing, clock=FakeClock(), acknowledged=acknowledged.set)
    publisher.begin_after(41)
    running = asyncio.create_task(publisher.run())

    for instances in ([], [], [WEB_1], [WEB_1]):
        publisher.offer(routed_apps(desire(V1), instances))
        await eventually_async(lambda: asyncio.sleep(0, publisher.is_acknowledged))
    running.cancel()

    assert [table.version for table in routing.tables] == [42, 43]
    assert publisher.table.apps[0].backends == (Backend(WEB_1.id, "web.1", 1, "127.0.0.1:20001"),)
    assert acknowledged.is_set()


async def test_an_instance_has_left_once_the_routers_have_a_table_without_it() -> None:
    routing = FakeRouting()
    publisher = Publisher(routing, clock=FakeClock(), acknowledged=lambda: None)
    assert not publisher.has_left(WEB_1.id)
    running = asyncio.create_task(publisher.run())

    publisher.offer(routed_apps(desire(V1), [WEB_1]))
    await eventually_async(lambda: asyncio.sleep(0, publisher.is_acknowledged))
    assert not publisher.has_left(WEB_1.id)
    publisher.offer(routed_apps(desire(V1), []))
    await eventually_async(lambda: asyncio.sleep(0, publisher.has_left(WEB_1.id)))
    running.cancel()
