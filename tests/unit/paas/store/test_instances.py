"""Instances: intent first, ports of their own, and how each ended."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pytest

from paas.domain.app import App
from paas.domain.instance import ContainerIdentity, ExitStatus, Instance, InstanceState, ProcessIdentity
from paas.domain.names import RUN, WEB
from paas.domain.release import Release
from paas.errors import ConflictError
from paas.store.database import Store
from paas.store.instances import KEPT
from tests.stores import add_release, serve_release


@pytest.fixture
def release(store: Store, shop: App) -> Release:
    return serve_release(store, shop)


def test_an_instance_is_known_from_its_intent_to_its_end(store: Store, release: Release) -> None:
    intent = begin(store, release, cause="scale 0->1")
    assert (intent.state, intent.name, intent.cause) == (InstanceState.STARTING, "web.1", "scale 0->1")
    identity = ProcessIdentity("boot", 42, 1234)
    assert store.instances.identified(intent.id, identity).identity == identity
    up = store.instances.up(intent.id, address="127.0.0.1:20001")
    assert (up.state, up.address, up.up_monotonic is not None) == (InstanceState.UP, "127.0.0.1:20001", True)
    assert store.instances.living() == [up]
    stopping = store.instances.transition(intent.id, InstanceState.STOPPING, cause="scale 1->0")
    assert (stopping.state, stopping.cause) == (InstanceState.STOPPING, "scale 1->0")
    ended = store.instances.ended(intent.id, ExitStatus(-15), cause="stopped")
    assert (ended.state, ended.exit, ended.cause) == (InstanceState.EXITED, ExitStatus(-15), "stopped")
    assert store.instances.living() == []
    assert store.instances.list(release.app) == [ended]


def test_a_container_is_an_identity_too(store: Store, release: Release) -> None:
    identity = ContainerIdentity("c0ffee")
    assert store.instances.identified(begin(store, release).id, identity).identity == identity


@pytest.mark.parametrize("status", [ExitStatus(None), ExitStatus(0), ExitStatus(-9, out_of_memory=True)])
def test_every_way_to_end_is_kept(store: Store, release: Release, status: ExitStatus) -> None:
    assert store.instances.ended(begin(store, release).id, status, cause="it ended").exit == status


def test_the_first_end_stays_and_nothing_comes_after_it(store: Store, release: Release) -> None:
    ended = store.instances.ended(begin(store, release).id, ExitStatus(1), cause="crashed")
    assert store.instances.ended(ended.id, ExitStatus(2), cause="again") == ended
    with pytest.raises(ConflictError, match="already exited"):
        store.instances.up(ended.id, address=None)


def test_ports_are_unique_among_living_instances(store: Store, release: Release) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda index: begin(store, release, index=index), range(1, 101)))
    ports = {instance.port for instance in begun}
    assert len(ports) == 100
    assert all(port is not None and 20000 <= port <= 29999 for port in ports)


def test_ports_begin_at_the_homes_own_place_and_come_in_turn(store: Store, release: Release) -> None:
    offset = store.meta.port_offset()
    first = begin(store, release)
    store.instances.ended(first.id, ExitStatus(0), cause="done")
    second = begin(store, release)
    assert [first.port, second.port] == [20000 + offset, 20000 + (offset + 1) % 10000]


def test_a_port_to_avoid_is_passed_over(store: Store, release: Release) -> None:
    offset = store.meta.port_offset()
    begun = begin(store, release, avoid={20000 + offset, 20000 + (offset + 1) % 10000})
    assert begun.port == 20000 + (offset + 2) % 10000


def test_a_port_that_is_not_free_on_the_machine_is_passed_over(store: Store, release: Release) -> None:
    offset = store.meta.port_offset()
    begun = begin(store, release, is_free=lambda port: port != 20000 + offset)
    assert begun.port == 20000 + (offset + 1) % 10000


def test_running_out_of_ports_is_told(store: Store, release: Release) -> None:
    with pytest.raises(ConflictError, match="All ports from 20000 to 29999"):
        begin(store, release, avoid=set(range(20000, 30000)))


def test_an_instance_that_serves_nothing_has_no_port(store: Store, release: Release) -> None:
    assert begin(store, release, wants_port=False).port is None


def test_the_last_end_of_each_slot_of_what_is_wanted_is_found(store: Store, shop: App) -> None:
    old = serve_release(store, shop)
    end(store, begin(store, old))
    serving, booting = serve_release(store, shop), add_release(store, shop)
    end(store, begin(store, serving))
    newest = end(store, begin(store, serving))
    second = end(store, begin(store, serving, index=2))
    candidate = end(store, begin(store, booting))
    end(store, begin(store, serving, one_off=True))
    assert store.instances.last_ended() == [newest, second, candidate]
    assert store.instances.last_ended(boot_id="another") == []
    assert store.instances.last_ended(boot_id="boot") == [newest, second, candidate]


def test_only_the_newest_ends_of_a_slot_and_of_all_one_offs_are_kept(store: Store, release: Release) -> None:
    ends = [end(store, begin(store, release)) for _ in range(KEPT + 3)]
    other = end(store, begin(store, release, index=2))
    runs = [end(store, begin(store, release, index=number, one_off=True)) for number in range(1, KEPT + 3)]
    assert store.instances.list(release.app) == [*runs[2:], *ends[3:], other]


def begin(
    store: Store,
    release: Release,
    *,
    index: int = 1,
    cause: str = "started",
    wants_port: bool = True,
    one_off: bool = False,
    avoid: Collection[int] = (),
    is_free: Callable[[int], bool] = lambda _: True,
) -> Instance:
    return store.instances.begin(
        app=release.app,
        release=release,
        type=RUN if one_off else WEB,
        index=index,
        epoch=0,
        cause=cause,
        wants_port=wants_port and not one_off,
        restarts=0,
        streak=0,
        one_off=one_off,
        boot_id="boot",
        avoid_ports=avoid,
        is_free=is_free,
    )


def end(store: Store, instance: Instance) -> Instance:
    return store.instances.ended(instance.id, ExitStatus(1), cause="crashed")
