"""Migrations: from nothing, from an older schema, and never from a newer or a damaged one."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.names import app_name
from paas.errors import UnsupportedError
from paas.settings import Settings
from paas.store.database import Store
from paas.store.errors import DamagedStoreError
from paas.store.filesystem import make_private
from paas.store.migrate import SHIPPED, Steps, migrate
from tests.stores import open_store

NEXT = SHIPPED.newest + 1

STEP = f"""
import os, signal
from alembic import op

revision, down_revision = "{NEXT:04}", "{SHIPPED.newest:04}"

def upgrade():
    op.execute("ALTER TABLE apps ADD COLUMN note TEXT")
    if os.environ.get("DIE_HERE"):
        os.kill(os.getpid(), signal.SIGKILL)
    op.execute("CREATE TABLE notes (text TEXT) STRICT")
"""


@pytest.fixture
def next_steps(tmp_path: Path) -> Steps:
    """The history of a mini that is one step ahead."""
    folder = tmp_path / "migrations"
    shutil.copytree(SHIPPED.folder, folder)
    (folder / "versions" / f"{NEXT:04}_notes.py").write_text(STEP)
    return Steps(folder, NEXT)


def test_a_new_home_gets_the_newest_schema_without_a_backup(settings: Settings) -> None:
    make_private(settings.home)
    migrate(settings, clock=SystemClock())
    assert version(settings.database) == SHIPPED.newest
    assert not settings.backups.exists()


def test_a_database_that_is_up_to_date_is_left_alone(store: Store, settings: Settings) -> None:
    store.close()
    before = settings.database.read_bytes()
    migrate(settings, clock=SystemClock())
    assert settings.database.read_bytes() == before


def test_an_older_database_is_backed_up_and_upgraded_with_all_it_holds(
    store: Store, settings: Settings, next_steps: Steps
) -> None:
    store.apps.create(app_name("shop"))
    migrate(settings, clock=SystemClock(), steps=next_steps)
    (backup,) = settings.backups.iterdir()
    assert (version(settings.database), version(backup)) == (NEXT, SHIPPED.newest)
    for path in (settings.database, backup):
        assert query(path, "SELECT name FROM apps") == [("shop",)]
    assert triggers(settings.database) == triggers(backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert settings.backups.stat().st_mode & 0o777 == 0o700


def test_a_migration_killed_halfway_left_everything_as_it_was_and_can_be_repeated(
    store: Store, settings: Settings, next_steps: Steps
) -> None:
    store.apps.create(app_name("shop"))
    store.close()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.home), str(next_steps.folder), str(NEXT)],
        env={**os.environ, "DIE_HERE": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    open_store(settings.home, settings=settings).close()
    assert "note" not in [name for _, name, *_ in query(settings.database, "PRAGMA table_info(apps)")]
    migrate(settings, clock=SystemClock(), steps=next_steps)
    assert version(settings.database) == NEXT
    assert query(settings.database, "SELECT name, note FROM apps") == [("shop", None)]


KILLED = """
import sys
from pathlib import Path
from paas.clock import SystemClock
from paas.settings import Settings
from paas.store.migrate import Steps, migrate

home, folder, newest = sys.argv[1:]
migrate(Settings(home=Path(home)), clock=SystemClock(), steps=Steps(Path(folder), int(newest)))
"""


def test_a_database_of_a_newer_mini_is_refused_and_left_alone(
    store: Store, settings: Settings, next_steps: Steps
) -> None:
    store.close()
    migrate(settings, clock=SystemClock(), steps=next_steps)
    before = settings.database.read_bytes()
    with pytest.raises(
        UnsupportedError, match=rf"newer mini \(schema {NEXT}; this one knows {SHIPPED.newest}\)"
    ):
        open_store(settings.home, settings=settings)
    assert settings.database.read_bytes() == before


def test_a_database_of_another_program_is_refused(settings: Settings) -> None:
    settings.home.mkdir()
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    with pytest.raises(DamagedStoreError, match="no database of mini"):
        open_store(settings.home, settings=settings)


@pytest.mark.parametrize("offset", [0, 4096 * 3])
def test_a_damaged_database_is_refused_with_what_to_restore(
    store: Store, settings: Settings, offset: int
) -> None:
    store.close()
    with settings.database.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 4096)
    with pytest.raises(DamagedStoreError, match="Restore the newest file of `backups`"):
        open_store(settings.home, settings=settings)


def version(path: Path) -> object:
    return query(path, "PRAGMA user_version")[0][0]


def triggers(path: Path) -> list[tuple[object, ...]]:
    return query(path, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()
