"""Which backends are in the routing table, and how its versions rise."""

import asyncio
import errno
from dataclasses import replace

import pytest

from paas.domain.ids import InstanceId
from paas.domain.instance import Instance, InstanceState
from paas.domain.route import Backend, RoutedApp, RoutedCertificate, RoutingTable
from paas.domain.traffic import TrafficRule
from paas.errors import UnreachableError
from paas.supervisor.desired import Desired
from paas.supervisor.routing import Publisher, routed_apps
from paas.testing.clock import FakeClock
from paas.testing.ports import FakeRouting
from tests.eventually import eventually_async
from tests.unit.paas.supervisor.worlds import a_release, an_instance, desire

pytestmark = pytest.mark.anyio

V1, V2 = a_release(1), a_release(2)
WEB_1 = an_instance(V1, "web.1")


def _ticket(instance: InstanceId) -> str:
    return f"ticket of {instance}"


def routed(desired: Desired, *instances: Instance) -> tuple[RoutedApp, ...]:
    return routed_apps(desired, instances, ticket=_ticket)


def _backends(desired: Desired, *instances: Instance) -> list[str]:
    app = routed(desired, *instances)[0]
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
    (app,) = routed(desire(None))

    assert (app.hosts, app.backends) == (("shop.localhost",), ())


def test_a_release_has_a_host_of_its_own_while_it_serves() -> None:
    assert routed(desire(V1), WEB_1)[0].hosts == ("shop.localhost", "v1--shop.localhost")
    assert routed(desire(V1))[0].hosts == ("shop.localhost",)


def test_a_release_that_is_being_deployed_is_reached_by_its_own_host_alone() -> None:
    candidate = an_instance(V2, "web.1")

    serving, pinned = routed(desire(V1, V2), WEB_1, candidate)

    assert (serving.pinned, [backend.version for backend in serving.backends]) == (None, [1])
    assert (pinned.pinned, pinned.hosts) == (2, ("v2--shop.localhost",))
    assert [backend.version for backend in pinned.backends] == [2]


def test_a_release_that_is_drained_has_no_host() -> None:
    hosts = [host for app in routed(desire(V2), WEB_1, an_instance(V2, "web.1")) for host in app.hosts]

    assert hosts == ["shop.localhost", "v2--shop.localhost"]


def test_what_was_asked_of_an_app_holds_for_its_candidate_too() -> None:
    certificate = RoutedCertificate("shop.example.com", "/keys/c1.pem")
    desired = desire(V1, V2)
    (app,) = desired.apps.values()
    asked = replace(app, rule=TrafficRule(maintenance=True, sticky=True), certificates=(certificate,))

    entries = routed(replace(desired, apps={app.app.id: asked}), an_instance(V2, "web.1"))

    assert [(entry.maintenance, entry.sticky) for entry in entries] == [(True, True), (True, True)]
    assert [entry.certificates for entry in entries] == [(certificate,), ()]


async def test_only_a_change_makes_a_new_version_and_versions_go_on_after_a_restart() -> None:
    routing, acknowledged = FakeRouting(), asyncio.Event()
    publisher = Publisher(routing, clock=FakeClock(), acknowledged=acknowledged.set)
    publisher.begin_after(41)
    running = asyncio.create_task(publisher.run())

    for instances in ([], [], [WEB_1], [WEB_1]):
        publisher.offer(routed(desire(V1), *instances))
        await eventually_async(lambda: asyncio.sleep(0, publisher.is_acknowledged))
    running.cancel()

    assert [table.version for table in routing.tables] == [42, 43]
    assert publisher.table.apps[0].backends == (
        Backend(WEB_1.id, "web.1", 1, "127.0.0.1:20001", _ticket(WEB_1.id)),
    )
    assert acknowledged.is_set()


async def test_an_instance_has_left_once_the_routers_have_a_table_without_it() -> None:
    routing = FakeRouting()
    publisher = Publisher(routing, clock=FakeClock(), acknowledged=lambda: None)
    assert not publisher.has_left(WEB_1.id)
    running = asyncio.create_task(publisher.run())

    publisher.offer(routed(desire(V1), WEB_1))
    await eventually_async(lambda: asyncio.sleep(0, publisher.is_acknowledged))
    assert not publisher.has_left(WEB_1.id)
    publisher.offer(routed(desire(V1)))
    await eventually_async(lambda: asyncio.sleep(0, publisher.has_left(WEB_1.id)))
    running.cancel()


class Unable(FakeRouting):
    """Routers that cannot be told a table the first time."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.faults = [fault]

    async def publish(self, table: RoutingTable) -> None:
        if self.faults:
            raise self.faults.pop()
        await super().publish(table)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(UnreachableError(), id="an error of mini"),
        pytest.param(OSError(errno.EMFILE, "Too many open files"), id="an error of the system"),
        pytest.param(RuntimeError("a mistake"), id="a mistake"),
    ],
)
async def test_a_table_that_was_not_taken_is_published_again(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    routing, clock = Unable(fault), FakeClock()
    publisher = Publisher(routing, clock=clock, acknowledged=lambda: None)
    running = asyncio.create_task(publisher.run())

    publisher.offer(routed(desire(V1), WEB_1))
    await clock.until(lambda: publisher.is_acknowledged or running.done())
    assert running.cancel()

    assert [table.version for table in routing.tables] == [1]
    assert [record.message.startswith("routers did not take the table") for record in caplog.records] == [
        True
    ]
