"""What is settled once for a home."""

from pathlib import Path

import pytest

from paas.errors import EngineMismatchError
from paas.settings import EngineChoice, Settings
from paas.store.database import Store
from tests.stores import open_store


def test_the_engine_of_a_home_is_settled_once(store: Store) -> None:
    assert store.meta.engine() is None
    store.meta.settle_engine(EngineChoice.PROCESS)
    store.meta.settle_engine(EngineChoice.PROCESS)
    assert store.meta.engine() is EngineChoice.PROCESS
    with pytest.raises(EngineMismatchError, match=r"runs on the process engine.*MINI_HOME"):
        store.meta.settle_engine(EngineChoice.DOCKER)


def test_a_home_keeps_its_id_and_port_offset(store: Store, tmp_path: Path, settings: Settings) -> None:
    first = (store.meta.home_id(), store.meta.port_offset())
    store.close()
    again = open_store(tmp_path, settings=settings)
    assert (again.meta.home_id(), again.meta.port_offset()) == first
    again.close()


def test_two_installs_differ_in_id_and_keys(tmp_path: Path) -> None:
    first, second = Settings(home=tmp_path / "first"), Settings(home=tmp_path / "second")
    stores = [open_store(tmp_path, settings=settings) for settings in (first, second)]
    assert stores[0].meta.home_id() != stores[1].meta.home_id()
    assert first.key_file.read_text() != second.key_file.read_text()
    for store in stores:
        store.close()
