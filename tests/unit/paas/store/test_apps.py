"""Apps: names, tombstones, and secrets that end with their app."""

import sqlite3
from contextlib import closing

import pytest

from paas.domain.app import App
from paas.domain.config import checked
from paas.domain.names import WEB, app_name
from paas.domain.release import DeploymentKind
from paas.errors import NameTakenError, NotFoundError
from paas.settings import Settings
from paas.store.database import Store
from tests.stores import serve_release


def test_a_new_app_is_found_by_name_and_by_id(store: Store, shop: App) -> None:
    assert store.apps.get(shop.name) == shop
    assert store.apps.find(shop.name) == shop
    assert store.apps.get_by_id(shop.id) == shop


def test_a_missing_app_is_told_with_the_apps_there_are(store: Store, shop: App) -> None:
    store.apps.create(app_name("blog"))
    with pytest.raises(NotFoundError, match=r"There is no app shoo\. There are: blog, shop\."):
        store.apps.get(app_name("shoo"))
    assert store.apps.find(app_name("shoo")) is None


def test_two_living_apps_never_share_a_name(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    with pytest.raises(NameTakenError, match="shop"):
        store.apps.create(shop.name)
    with pytest.raises(NameTakenError, match="shop"):
        store.apps.rename(blog.id, shop.name)


def test_a_renamed_app_frees_its_old_name(store: Store, shop: App) -> None:
    assert store.apps.rename(shop.id, app_name("store")).name == "store"
    assert store.apps.create(app_name("shop")).id != shop.id


def test_renaming_an_app_to_its_own_name_changes_nothing(store: Store, shop: App) -> None:
    assert store.apps.rename(shop.id, shop.name) == shop


def test_a_destroyed_app_frees_its_name_and_leaves_a_tombstone(store: Store, shop: App) -> None:
    release = serve_release(store, shop)
    store.apps.destroy(shop.id, actor="tester")
    assert store.apps.list() == []
    assert store.apps.get_by_id(shop.id).name == "shop"
    assert store.releases.get_by_id(release.id) == release
    again = store.apps.create(app_name("shop"))
    assert store.releases.latest(again.id) is None


def test_a_destroyed_app_loses_its_domains_formation_and_place_in_the_desired_state(
    store: Store, shop: App
) -> None:
    serve_release(store, shop)
    store.domains.add(shop.id, "shop.example.com")
    store.formations.set(shop.id, {WEB: 2})
    store.formations.restart(shop.id, [(WEB, 1)])
    store.apps.destroy(shop.id, actor="tester")
    assert (store.domains.all(), store.formations.all(), store.formations.slots()) == ([], {}, {})
    assert store.releases.serving() == []


def test_destroying_an_app_makes_its_secrets_unreadable(store: Store, shop: App) -> None:
    config = store.configs.save(shop.id, checked({"KEY": "value"}))
    store.apps.destroy(shop.id, actor="tester")
    with pytest.raises(NotFoundError, match="its secrets are unreadable"):
        store.configs.get(config)


def test_the_key_of_a_destroyed_app_is_left_nowhere_in_the_files_of_the_database(
    store: Store, shop: App, settings: Settings
) -> None:
    wrapped = _wrapped_key(settings, shop)
    assert wrapped in _all_bytes(settings)
    store.apps.destroy(shop.id, actor="tester")
    assert wrapped not in _all_bytes(settings)


def test_nothing_is_added_to_a_destroyed_app(store: Store, shop: App) -> None:
    store.apps.destroy(shop.id, actor="tester")
    with pytest.raises(NotFoundError, match="shop was destroyed"):
        store.deployments.begin(shop.id, kind=DeploymentKind.PUSH, actor="tester")
    with pytest.raises(NotFoundError, match="shop was destroyed"):
        store.configs.save(shop.id, {})
    with pytest.raises(NotFoundError, match="shop was destroyed"):
        store.formations.set(shop.id, {WEB: 1})
    with pytest.raises(NotFoundError, match="shop was destroyed"):
        store.apps.destroy(shop.id, actor="tester")


def _wrapped_key(settings: Settings, app: App) -> bytes:
    with closing(sqlite3.connect(settings.database)) as connection:
        (wrapped,) = connection.execute("SELECT wrapped FROM data_keys WHERE owner = ?", (app.id,)).fetchone()
    return bytes(wrapped)


def _all_bytes(settings: Settings) -> bytes:
    return b"".join(path.read_bytes() for path in settings.home.glob("mini.db*"))
