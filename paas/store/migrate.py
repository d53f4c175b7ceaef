"""Bringing a database to the newest schema: checked first, backed up before, all in one transaction or not at all."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine

from paas.clock import Clock
from paas.errors import UnsupportedError
from paas.settings import Settings
from paas.store.connections import connect
from paas.store.errors import DamagedStoreError
from paas.store.filesystem import make_private, make_private_file
from paas.store.schema import APPLICATION_ID, SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Steps:
    """A history of the schema: the folder that holds its steps, and the number of the last one."""

    folder: Path
    newest: int


SHIPPED = Steps(Path(__file__).parent / "migrations", SCHEMA_VERSION)


def migrate(settings: Settings, *, clock: Clock, steps: Steps = SHIPPED) -> None:
    """Make or upgrade the database of `settings`; an older one is first copied to `backups`.

    Raises UnsupportedError for one that a newer mini wrote, DamagedStoreError for one that is damaged or not ours.
    """
    path = settings.database
    make_private_file(path)
    with closing(connect(path)) as connection:
        version = _checked_version(connection, path=path, newest=steps.newest)
        connection.execute("PRAGMA journal_mode = WAL")
    if version == steps.newest:
        return
    if version:
        make_private(settings.backups)
        back_up(path, settings.backups / f"mini-{version:04}-{clock.now():%Y%m%dT%H%M%S%f}.db")
    _upgrade(path, steps)


def back_up(source: Path, target: Path) -> None:
    """Copy the database as it is at one moment to `target`, a file of mode 0600 that appears whole or not at all."""
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.unlink(missing_ok=True)
    make_private_file(unfinished)
    with closing(connect(source)) as reader, closing(sqlite3.connect(unfinished)) as writer:
        reader.backup(writer)
    unfinished.replace(target)


def _checked_version(connection: sqlite3.Connection, *, path: Path, newest: int) -> int:
    try:
        application = _pragma(connection, "application_id")
        version = int(_pragma(connection, "user_version"))
        verdict = _pragma(connection, "quick_check(1)")
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error
    if verdict != "ok":
        raise _damaged(path, str(verdict))
    if application not in (0, APPLICATION_ID) or (application == 0 and _has_tables(connection)):
        raise DamagedStoreError(
            f"{path} is no database of mini. Move it away, or choose another home with MINI_HOME."
        )
    if version > newest:
        raise UnsupportedError(
            f"{path} was written by a newer mini (schema {version}; this one knows {newest}). "
            "Start the newer mini again, or restore a file of `backups` beside it."
        )
    return version


def _damaged(path: Path, why: str) -> DamagedStoreError:
    return DamagedStoreError(f"{path} is damaged ({why}). Restore the newest file of `backups` beside it.")


def _pragma(connection: sqlite3.Connection, name: str) -> int | str:
    row: tuple[int | str] = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0]


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _upgrade(path: Path, steps: Steps) -> None:
    # Alembic takes longer to import than a server may take to start; it is needed once per schema.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(steps.folder).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=lambda: connect(path))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {steps.newest}")
            connection.commit()
    finally:
        engine.dispose()
