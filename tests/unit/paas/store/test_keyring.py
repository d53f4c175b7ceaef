"""The key file: made once, private, and missed by name."""

from pathlib import Path

import pytest

from paas.domain.app import App
from paas.domain.config import checked
from paas.settings import Settings
from paas.store.database import Store
from paas.store.errors import DamagedStoreError
from paas.store.keyring import Keyring
from tests.stores import open_store


def test_the_key_file_is_private_and_outside_the_database(store: Store, settings: Settings) -> None:
    assert settings.key_file.stat().st_mode & 0o777 == 0o600
    assert settings.key_file.parent.stat().st_mode & 0o777 == 0o700
    key = settings.key_file.read_text().split()[1]
    assert bytes.fromhex(key) not in settings.database.read_bytes()
    assert key.encode() not in settings.database.read_bytes()
    assert store.apps.list() == []


def test_a_missing_key_file_is_told_with_what_to_restore(store: Store, settings: Settings) -> None:
    store.close()
    settings.key_file.unlink()
    with pytest.raises(DamagedStoreError, match=r"keys/master is missing.*Restore that file"):
        open_store(settings.home, settings=settings)
    assert not settings.key_file.exists()


def test_a_key_file_of_another_home_opens_nothing(store: Store, tmp_path: Path, settings: Settings) -> None:
    store.close()
    other = Settings(home=tmp_path / "other")
    open_store(tmp_path, settings=other).close()
    settings.key_file.write_bytes(other.key_file.read_bytes())
    with pytest.raises(DamagedStoreError, match="has no key"):
        open_store(settings.home, settings=settings)


@pytest.mark.parametrize("text", ["", "id", "id 00", f"id {'zz' * 32}", "\0"])
def test_a_key_file_that_cannot_be_read_is_told(store: Store, settings: Settings, text: str) -> None:
    store.close()
    settings.key_file.write_text(text)
    with pytest.raises(DamagedStoreError, match="cannot be read"):
        open_store(settings.home, settings=settings)


def test_a_new_master_key_leaves_what_the_old_one_wrapped_readable(
    store: Store, shop: App, settings: Settings
) -> None:
    config = store.configs.save(shop.id, checked({"A": "1"}))
    store.close()
    rotated = f"newest {'5a' * 32}\n{settings.key_file.read_text()}"
    settings.key_file.write_text(rotated)
    again = open_store(settings.home, settings=settings)
    assert again.configs.get(config).variables == checked({"A": "1"})
    again.close()
    _, kept = Keyring.open(settings.key_file, needed=True).new_key("owner")
    assert kept.key_id == "newest"


def test_a_wrapped_key_serves_its_owner_alone(tmp_path: Path) -> None:
    keyring = Keyring.open(tmp_path / "keys" / "master", needed=False)
    _, mine = keyring.new_key("mine")
    _, theirs = keyring.new_key("theirs")
    swapped = type(mine)(mine.owner, mine.key_id, theirs.wrapped)
    with pytest.raises(DamagedStoreError, match="does not open"):
        keyring.unwrap(swapped)
