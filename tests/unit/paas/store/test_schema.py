"""The schema as it is: a snapshot to read changes in, and triggers that are tried one by one."""

import sqlite3

import pytest

from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.release import DeploymentKind
from paas.store.database import Store
from paas.store.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from tests.golden_file import assert_golden
from tests.stores import add_build, serve_release

KEPT = (
    "releases",
    "builds",
    "config_sets",
    "config_values",
    "deployments",
    "pruned_artifacts",
    "switches",
    "events",
)


@pytest.fixture
def filled(store: Store, shop: App) -> Store:
    """A store with a row in every table that keeps its rows."""
    build = add_build(store, shop)
    serve_release(store, shop, build=build, variables={"A": "1"})
    store.builds.mark_pruned(build.id)
    store.events.append(EventKind.APP_CREATED, app=shop.id, actor="me", cause="created")
    return store


@pytest.mark.usefixtures("store")
def test_the_schema_is_the_one_in_the_snapshot(intruder: sqlite3.Connection) -> None:
    statements = intruder.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'trigger', type = 'index', name"
    )
    assert_golden("schema.sql", "\n\n".join(f"{statement};" for (statement,) in statements) + "\n")


def test_the_tables_of_the_code_are_those_of_the_database(intruder: sqlite3.Connection) -> None:
    for table in TABLES:
        columns = [name for _, name, *_ in intruder.execute(f"PRAGMA table_info({table.name})")]
        assert columns == table.columns.keys()


def test_every_table_of_ours_is_strict(intruder: sqlite3.Connection) -> None:
    tables = {name: strict for _, name, _, _, _, strict in intruder.execute("PRAGMA table_list")}
    assert [table.name for table in TABLES if not tables[table.name]] == []


def test_the_file_says_what_it_is(intruder: sqlite3.Connection) -> None:
    assert intruder.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert intruder.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert intruder.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("table", KEPT)
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE {table} SET {column} = {column}", id="update"),
        pytest.param("DELETE FROM {table}", id="delete"),
        pytest.param("INSERT OR REPLACE INTO {table} SELECT * FROM {table}", id="replace"),
        pytest.param("INSERT OR IGNORE INTO {table} SELECT * FROM {table}", id="insert again"),
        pytest.param("UPDATE OR REPLACE {table} SET {column} = {column}", id="update or replace"),
    ],
)
def test_rows_that_are_kept_refuse_every_change(
    intruder: sqlite3.Connection, table: str, statement: str
) -> None:
    column = intruder.execute(f"PRAGMA table_info({table})").fetchone()[1]
    before = intruder.execute(f"SELECT * FROM {table}").fetchall()
    assert before
    with pytest.raises(sqlite3.IntegrityError, match=r"immutable|never|no gaps"):
        intruder.execute(statement.format(table=table, column=column))
    assert intruder.execute(f"SELECT * FROM {table}").fetchall() == before


@pytest.mark.usefixtures("filled")
def test_a_release_with_a_gap_in_its_number_is_refused(intruder: sqlite3.Connection) -> None:
    columns = "app, kind, description, build, config, origin, actor, created_at, content_hash"
    with pytest.raises(sqlite3.IntegrityError, match="no gaps"):
        intruder.execute(
            f"INSERT INTO releases (id, version, {columns}) SELECT 'new', 3, {columns} FROM releases"
        )


@pytest.mark.usefixtures("filled")
def test_a_saved_config_takes_no_more_values(intruder: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="config sets are immutable"):
        intruder.execute("INSERT INTO config_values SELECT id, 'B', x'00' FROM config_sets")


def test_a_tombstone_stays(store: Store, shop: App, intruder: sqlite3.Connection) -> None:
    store.apps.destroy(shop.id, actor="tester")
    for statement in ("UPDATE apps SET destroyed_at = NULL", "DELETE FROM apps"):
        with pytest.raises(sqlite3.IntegrityError):
            intruder.execute(statement)


def test_a_value_of_the_wrong_type_is_refused(store: Store, shop: App, intruder: sqlite3.Connection) -> None:
    store.deployments.begin(shop.id, kind=DeploymentKind.PUSH, actor="me")
    with pytest.raises(sqlite3.IntegrityError):
        intruder.execute("UPDATE deployments SET state = 'somewhere'")
    with pytest.raises(sqlite3.IntegrityError):
        intruder.execute("INSERT INTO formations VALUES ('app', 'web', 'many')")
