"""Config sets: encrypted, immutable, bound to their place."""

import pytest

from paas.domain.app import App
from paas.domain.config import checked
from paas.domain.ids import ConfigId
from paas.domain.names import app_name
from paas.errors import NotFoundError
from paas.settings import Settings
from paas.store.database import Store
from paas.store.errors import DamagedStoreError
from tests.unit.paas.store.intrusion import copy_secret, encrypted

CANARY = "correct-horse-battery-staple"


def test_a_config_comes_back_as_it_was_saved(store: Store, shop: App) -> None:
    variables = checked({"EMPTY": "", "TEXT": "ü\n☃", "LONG": "x" * 65536})
    assert store.configs.get(store.configs.save(shop.id, variables)).variables == variables


def test_an_empty_config_can_be_saved(store: Store, shop: App) -> None:
    assert store.configs.get(store.configs.save(shop.id, {})).variables == {}


def test_the_files_of_the_database_hold_no_plain_value(store: Store, shop: App, settings: Settings) -> None:
    store.configs.save(shop.id, checked({"PASSWORD": CANARY}))
    store.idempotency.reserve("key", CANARY)
    store.idempotency.complete("key", status=200, body=CANARY.encode())
    store.close()
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_equal_values_look_different_in_the_database(store: Store, shop: App, settings: Settings) -> None:
    first, second = (store.configs.save(shop.id, checked({"A": CANARY, "B": CANARY})) for _ in range(2))
    assert len({*encrypted(settings, first), *encrypted(settings, second)}) == 4


def test_a_secret_moved_to_another_name_is_not_decrypted(store: Store, shop: App, settings: Settings) -> None:
    config = store.configs.save(shop.id, checked({"PUBLIC": "shown to all", "SECRET": CANARY}))
    copy_secret(settings, source=(config, "SECRET"), target=(config, "PUBLIC"))
    with pytest.raises(DamagedStoreError, match="PUBLIC"):
        store.configs.get(config)


def test_a_secret_moved_to_another_app_is_not_decrypted(store: Store, shop: App, settings: Settings) -> None:
    blog = store.apps.create(app_name("blog"))
    theirs = store.configs.save(shop.id, checked({"SECRET": CANARY}))
    mine = store.configs.save(blog.id, checked({"SECRET": "mine"}))
    copy_secret(settings, source=(theirs, "SECRET"), target=(mine, "SECRET"))
    with pytest.raises(DamagedStoreError, match="SECRET"):
        store.configs.get(mine)


def test_names_are_told_of_many_sets_at_once_and_after_the_end_of_the_app(store: Store, shop: App) -> None:
    full = store.configs.save(shop.id, checked({"B": "1", "A": "2"}))
    empty = store.configs.save(shop.id, {})
    store.apps.destroy(shop.id, actor="tester")
    assert store.configs.keys([full, empty]) == {full: ["A", "B"], empty: []}


def test_a_missing_config_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no config"):
        store.configs.get(ConfigId("0" * 16))
