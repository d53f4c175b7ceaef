"""What the store's tests share: a new store with one app."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paas.domain.app import App
from paas.domain.names import app_name
from paas.settings import Settings
from paas.store.database import Store
from tests.stores import open_store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Iterator[Store]:
    store = open_store(tmp_path, settings=settings)
    yield store
    store.close()


@pytest.fixture
def shop(store: Store) -> App:
    return store.apps.create(app_name("shop"))


@pytest.fixture
def intruder(store: Store, settings: Settings) -> Iterator[sqlite3.Connection]:
    """Somebody with a plain sqlite3 shell on the database: none of our PRAGMAs are set."""
    with closing(sqlite3.connect(settings.database, isolation_level=None)) as connection:
        yield connection
