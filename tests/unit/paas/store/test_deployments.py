"""Deployments: the switch is one transaction, and an end is final."""

import pytest

from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.release import DeploymentKind, DeploymentState
from paas.errors import ConflictError, NotFoundError
from paas.store.database import Store
from tests.stores import add_build, add_release


def test_a_deployment_goes_from_queued_to_its_states(store: Store, shop: App) -> None:
    queued = store.deployments.begin(shop.id, kind=DeploymentKind.PUSH, actor="me")
    building = store.deployments.advance(queued.id, DeploymentState.BUILDING)
    releasing = store.deployments.advance(queued.id, DeploymentState.RELEASING)
    assert (queued.state, building.state, releasing.state) == ("queued", "building", "releasing")


def test_a_deployment_has_the_build_of_its_release(store: Store, shop: App) -> None:
    release = add_release(store, shop, build=add_build(store, shop))
    assert release.build
    assert store.deployments.for_release(release.id).build == release.build


def test_success_switches_the_app_and_says_so_in_an_event(store: Store, shop: App) -> None:
    release = add_release(store, shop)
    deployment = store.deployments.succeed(store.deployments.for_release(release.id).id)
    assert deployment.state is DeploymentState.SUCCEEDED
    assert deployment.ended_at is not None
    assert store.apps.get(shop.name).current == release.id
    (event,) = store.events.list(shop.id, limit=9)
    assert (event.kind, event.cause) == (EventKind.DEPLOYMENT_SUCCEEDED, "Deploy aaaaaaa")
    assert event.details == {"deployment": deployment.id, "version": 1}


def test_a_deployment_without_a_release_cannot_switch(store: Store, shop: App) -> None:
    deployment = store.deployments.begin(shop.id, kind=DeploymentKind.PUSH, actor="me")
    with pytest.raises(ConflictError, match="no release"):
        store.deployments.succeed(deployment.id)
    assert store.deployments.open() == [deployment]


def test_a_deployment_of_a_destroyed_app_cannot_switch_but_can_end(store: Store, shop: App) -> None:
    deployment = store.deployments.for_release(add_release(store, shop).id)
    store.apps.destroy(shop.id, actor="tester")
    with pytest.raises(NotFoundError, match="destroyed"):
        store.deployments.succeed(deployment.id)
    ended = store.deployments.fail(
        deployment.id, state=DeploymentState.CANCELLED, code="cancelled", reason="gone"
    )
    assert ended.state is DeploymentState.CANCELLED


def test_a_failure_says_why_and_switches_nothing(store: Store, shop: App) -> None:
    deployment = store.deployments.for_release(add_release(store, shop).id)
    failed = store.deployments.fail(
        deployment.id, state=DeploymentState.FAILED, code="not_healthy", reason="web.1 exited"
    )
    assert (failed.code, failed.reason) == ("not_healthy", "web.1 exited")
    assert store.apps.get(shop.name).current is None


def test_an_end_is_final(store: Store, shop: App) -> None:
    deployment = store.deployments.begin(shop.id, kind=DeploymentKind.CONFIG, actor="me")
    store.deployments.finish_unchanged(deployment.id, reason="no change")
    with pytest.raises(ConflictError, match="already ended"):
        store.deployments.advance(deployment.id, DeploymentState.STARTING)
    with pytest.raises(ConflictError, match="already ended"):
        store.deployments.fail(deployment.id, state=DeploymentState.FAILED, code="internal", reason="late")
    assert store.deployments.open() == []


def test_deployments_are_listed_newest_first_and_found_by_a_beginning(store: Store, shop: App) -> None:
    made = [store.deployments.begin(shop.id, kind=DeploymentKind.PUSH, actor="me") for _ in range(3)]
    assert store.deployments.list(shop.id, limit=2) == [made[2], made[1]]
    assert store.deployments.get(shop.id, made[0].id[:14]) == made[0]
    with pytest.raises(NotFoundError):
        store.deployments.get(shop.id, "zz")
