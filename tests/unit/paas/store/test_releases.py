"""Releases: numbers without gaps, seals, and the queries that the desired state is made of."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from paas.domain.app import App
from paas.domain.ids import DeploymentId
from paas.domain.names import app_name
from paas.domain.release import DeploymentKind, DeploymentState, Release, ReleaseKind
from paas.errors import ConflictError, NotFoundError
from paas.settings import Settings
from paas.store.database import Store
from paas.store.errors import DamagedStoreError
from tests.stores import add_build, add_release, serve_release
from tests.unit.paas.store.intrusion import without_triggers


def test_a_release_carries_its_builds_commit_and_manifest(store: Store, shop: App) -> None:
    build = add_build(store, shop)
    release = add_release(store, shop, build=build)
    assert (release.commit, release.manifest, release.build) == (build.commit, build.manifest, build.id)
    assert (release.version, release.origin, release.name) == (1, 1, "v1")
    assert store.releases.get(shop.id, 1) == store.releases.get_by_id(release.id) == release
    assert store.deployments.for_release(release.id).release == release.id


def test_each_app_numbers_its_own_releases(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    made = [add_release(store, app).version for app in (shop, blog, shop, shop, blog)]
    assert made == [1, 1, 2, 3, 2]


def test_a_failed_release_keeps_its_number(store: Store, shop: App) -> None:
    failed = add_release(store, shop)
    deployment = store.deployments.for_release(failed.id)
    store.deployments.fail(
        deployment.id, state=DeploymentState.FAILED, code="release_failed", reason="exit 1"
    )
    assert add_release(store, shop).version == 2
    assert [
        (release.version, deployed.reason) for release, deployed in store.releases.list(shop.id, limit=9)
    ] == [
        (2, ""),
        (1, "exit 1"),
    ]


def test_eight_threads_at_once_get_unique_numbers_without_gaps(store: Store, shop: App) -> None:
    def make(_: int) -> int:
        return add_release(store, shop).version

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(make, range(160)))
    assert sorted(versions) == list(range(1, 161))


def test_a_release_that_is_refused_takes_no_number(store: Store, shop: App) -> None:
    add_release(store, shop)
    with pytest.raises(ConflictError, match="has ended or has a release"):
        _create(store, shop, deployment=DeploymentId("0" * 16))
    assert add_release(store, shop).version == 2


def test_a_deployment_makes_one_release(store: Store, shop: App) -> None:
    release = add_release(store, shop)
    with pytest.raises(ConflictError):
        _create(store, shop, deployment=store.deployments.for_release(release.id).id)


def test_a_release_takes_only_builds_and_configs_of_its_own_app(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    deployment = store.deployments.begin(shop.id, kind=DeploymentKind.PUSH, actor="me")
    with pytest.raises(NotFoundError, match="no config"):
        _create(store, shop, deployment=deployment.id, config_of=blog)
    with pytest.raises(NotFoundError, match="no build"):
        add_release(store, shop, build=add_build(store, blog))


def test_a_rollback_has_the_content_hash_of_the_release_it_goes_back_to(store: Store, shop: App) -> None:
    build = add_build(store, shop)
    first = serve_release(store, shop, build=build, variables={"DEBUG": "1"})
    serve_release(store, shop, build=add_build(store, shop, commit="b"))
    deployment = store.deployments.begin(shop.id, kind=DeploymentKind.ROLLBACK, actor="me")
    back = store.releases.create(
        shop.id,
        kind=ReleaseKind.ROLLBACK,
        description="Rollback to v1",
        build=build,
        config=first.config,
        origin=first.version,
        actor="me",
        deployment=deployment.id,
    )
    assert (back.content_hash, back.origin, back.version) == (first.content_hash, 1, 3)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE builds SET artifact = replace(artifact, 'slug-', 'evil-')", id="artifact"),
        pytest.param("UPDATE builds SET manifest = replace(manifest, 'serve', 'steal')", id="command"),
        pytest.param("UPDATE config_values SET value = zeroblob(40)", id="value"),
        pytest.param("DELETE FROM config_values", id="variable removed"),
        pytest.param("UPDATE releases SET content_hash = '00'", id="hash"),
    ],
)
def test_a_release_whose_content_was_changed_is_not_activated(
    store: Store, shop: App, settings: Settings, statement: str
) -> None:
    release = add_release(store, shop, build=add_build(store, shop), variables={"A": "1"})
    with without_triggers(settings) as connection:
        connection.execute(statement)
    with pytest.raises(DamagedStoreError, match="v1 was changed"):
        store.releases.get_by_id(release.id)


def test_a_release_stays_activatable_when_its_artifact_was_pruned(store: Store, shop: App) -> None:
    build = add_build(store, shop)
    release = add_release(store, shop, build=build)
    store.builds.mark_pruned(build.id)
    assert store.releases.get_by_id(release.id) == release


def test_a_missing_release_is_told_with_the_newest(store: Store, shop: App) -> None:
    with pytest.raises(NotFoundError, match=r"no release v1\. There are none yet"):
        store.releases.get(shop.id, 1)
    add_release(store, shop)
    with pytest.raises(NotFoundError, match=r"no release v7\. The newest is v1"):
        store.releases.get(shop.id, 7)


def test_served_releases_come_newest_switch_first_each_once(store: Store, shop: App) -> None:
    first, second = serve_release(store, shop), serve_release(store, shop)
    add_release(store, shop)
    assert _versions(store.releases.served(shop.id)) == [2, 1]
    store.apps.switch(shop.id, first.id)
    assert _versions(store.releases.served(shop.id)) == [1, 2]
    assert store.apps.get_by_id(shop.id).current == first.id
    assert second.version == 2


def test_the_desired_state_is_what_serves_and_what_boots(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    store.apps.create(app_name("new"))
    shops, blogs = serve_release(store, shop), serve_release(store, blog)
    booting = add_release(store, shop, build=add_build(store, shop))
    serving = store.releases.serving()
    assert [(app.name, release) for app, release in serving] == [("blog", blogs), ("shop", shops)]
    assert [(app.name, release) for app, release in store.releases.candidates()] == [("shop", booting)]
    store.deployments.succeed(store.deployments.for_release(booting.id).id)
    assert store.releases.candidates() == []
    assert store.releases.serving()[1][1] == booting


def test_the_latest_release_is_the_newest_served_or_not(store: Store, shop: App) -> None:
    assert store.releases.latest(shop.id) is None
    serve_release(store, shop)
    newest = add_release(store, shop)
    assert store.releases.latest(shop.id) == newest


def _create(store: Store, app: App, *, deployment: DeploymentId, config_of: App | None = None) -> Release:
    return store.releases.create(
        app.id,
        kind=ReleaseKind.CONFIG,
        description="Set A config var",
        build=None,
        config=store.configs.save((config_of or app).id, {}),
        origin=None,
        actor="me",
        deployment=deployment,
    )


def _versions(releases: list[Release]) -> list[int]:
    return [release.version for release in releases]
