"""The database under load, under kill -9 and on a full disk."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Select, Table, event
from sqlalchemy.sql.visitors import iterate

from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.names import WEB, app_name
from paas.errors import ConflictError, NotFoundError
from paas.settings import Settings
from paas.store.connections import connect
from paas.store.database import WHAT_SHOULD_RUN, Store
from paas.supervisor.desired import read_desired
from tests.stores import add_build, open_store, serve_release

WRITER = Path(__file__).parent / "writer.py"


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("synchronous", 2),
        ("busy_timeout", 5000),
        ("foreign_keys", 1),
        ("recursive_triggers", 1),
        ("trusted_schema", 0),
        ("secure_delete", 1),
        ("journal_size_limit", 64 * 1024 * 1024),
    ],
)
def test_every_connection_is_set_up_for_safety(tmp_path: Path, pragma: str, value: int) -> None:
    with closing(connect(tmp_path / "any.db")) as connection:
        assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


def test_eight_writers_and_eight_readers_at_once_meet_no_error(store: Store, shop: App) -> None:
    def write(number: int) -> int:
        return store.events.append(EventKind.APP_RENAMED, app=shop.id, actor="me", cause=str(number)).id

    def read(_: int) -> int:
        return len(store.events.list(shop.id, limit=1000))

    with ThreadPoolExecutor(16) as pool:
        written = [pool.submit(write, number) for number in range(200)]
        seen = [pool.submit(read, number) for number in range(100)]
        assert sorted(future.result() for future in written) == list(range(1, 201))
        assert all(0 <= future.result() <= 200 for future in seen)


def test_the_version_is_another_one_once_what_should_run_was_changed(store: Store, shop: App) -> None:
    versions = [store.version]

    def changes(what: Callable[[], object]) -> bool:
        what()
        versions.append(store.version)
        return versions[-1] != versions[-2]

    assert changes(lambda: serve_release(store, shop))
    assert changes(lambda: store.formations.set(shop.id, {WEB: 2}))
    assert changes(lambda: store.traffic.set(shop.id, maintenance=True))
    assert changes(lambda: store.apps.rename(shop.id, app_name("store")))
    assert not changes(store.apps.list)
    assert not changes(lambda: add_build(store, shop))
    assert not changes(lambda: store.events.append(EventKind.APP_RENAMED, app=shop.id, actor="me", cause="x"))


def test_what_the_desired_state_is_read_from_is_watched(store: Store, settings: Settings) -> None:
    read: set[str] = set()

    def note(_connection: Connection, statement: Select[Any], *_: object) -> None:
        froms = (each for source in statement.get_final_froms() for each in iterate(source))
        read.update(each.name for each in froms if isinstance(each, Table))

    event.listen(Engine, "before_execute", note)
    try:
        read_desired(store, settings=settings)
    finally:
        event.remove(Engine, "before_execute", note)
    assert read - {"builds"} == {table.name for table in WHAT_SHOULD_RUN}


def test_the_version_changes_with_the_whole_of_a_transaction(store: Store, shop: App) -> None:
    before = store.version
    with store.transaction():
        store.formations.set(shop.id, {WEB: 2})
        during = store.version
    assert during == before
    assert store.version != before


def test_a_transaction_of_several_calls_happens_as_a_whole_or_not_at_all(
    store: Store, shop: App, settings: Settings
) -> None:
    with store.transaction():
        store.formations.set(shop.id, {WEB: 2})
        seen_inside = store.formations.get(shop.id)
        with closing(sqlite3.connect(settings.database)) as outside:
            seen_outside = outside.execute("SELECT count FROM formations").fetchall()
        store.events.append(EventKind.FORMATION_SCALED, app=shop.id, actor="me", cause="web=2")

    def fail_halfway() -> None:
        with store.transaction():
            store.formations.set(shop.id, {WEB: 3})
            store.deployments.get(shop.id, "none")

    with pytest.raises(NotFoundError):
        fail_halfway()
    assert (seen_inside, seen_outside) == ({WEB: 2}, [])
    assert store.formations.get(shop.id) == {WEB: 2}
    assert [event.cause for event in store.events.list(shop.id, limit=9)] == ["web=2"]


def test_a_transaction_is_one_threads_own(store: Store, shop: App) -> None:
    with ThreadPoolExecutor(1) as pool, store.transaction():
        store.formations.set(shop.id, {WEB: 2})
        elsewhere = pool.submit(store.formations.get, shop.id).result()
    assert (elsewhere, store.formations.get(shop.id)) == ({}, {WEB: 2})


def test_a_snapshot_is_of_one_moment(store: Store, shop: App) -> None:
    def scale() -> None:
        store.formations.set(shop.id, {WEB: 2})

    with ThreadPoolExecutor(1) as pool, store.snapshot():
        before = store.formations.get(shop.id)
        pool.submit(scale).result()
        after = store.formations.get(shop.id)
    assert (before, after, store.formations.get(shop.id)) == ({}, {}, {WEB: 2})


def test_a_use_case_that_fails_halfway_leaves_nothing(store: Store, shop: App, settings: Settings) -> None:
    release = serve_release(store, shop)
    with pytest.raises(ConflictError):
        store.deployments.succeed(store.deployments.for_release(release.id).id)
    with closing(sqlite3.connect(settings.database)) as connection:
        assert connection.execute("SELECT count(*) FROM switches").fetchone() == (1,)


def test_a_backup_is_whole_while_others_write(store: Store, shop: App, tmp_path: Path) -> None:
    serve_release(store, shop)
    target = tmp_path / "copy.db"
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(store.apps.create, app_name(f"app-{number}")) for number in range(40)]
        store.backup(target)
        for write in writes:
            write.result()
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT version FROM releases").fetchall() == [(1,)]
    assert target.stat().st_mode & 0o777 == 0o600


def test_kill_9_in_the_middle_of_commits_loses_nothing_that_was_acknowledged(settings: Settings) -> None:
    open_store(settings.home, settings=settings).close()
    acknowledged: list[int] = []
    for _ in range(3):
        with writer(settings, "releases") as process:
            assert process.stdout is not None
            acknowledged += [int(process.stdout.readline()) for _ in range(25)]
            process.kill()
            acknowledged += [
                int(line) for line in process.stdout.read().splitlines(keepends=True) if line[-1] == "\n"
            ]
    store = open_store(settings.home, settings=settings)
    app = store.apps.get(app_name("shop"))
    versions = [release.version for release, _ in store.releases.list(app.id, limit=10**6)]
    assert acknowledged == sorted(set(acknowledged))
    assert set(acknowledged) <= set(versions)
    assert versions == list(range(len(versions), 0, -1))
    current = store.releases.serving()[0][1]
    assert current.version >= acknowledged[-1]
    store.close()


def test_a_full_disk_is_told_keeps_what_was_acknowledged_and_gives_up_the_ballast(settings: Settings) -> None:
    open_store(settings.home, settings=settings).close()
    assert settings.ballast.stat().st_size == 16 * 1024 * 1024
    with writer(settings, "until full") as process:
        output, _ = process.communicate(timeout=60)
    *acknowledged, told, dropped, after = output.splitlines()
    assert (told, dropped, after) == ("DiskFullError", "ballast dropped", "scaled")
    store = open_store(settings.home, settings=settings)
    events = store.events.list(None, limit=10**6)
    assert {event.id for event in events} >= {int(id) for id in acknowledged}
    assert settings.ballast.stat().st_size == 16 * 1024 * 1024
    store.close()


@contextmanager
def writer(settings: Settings, task: str) -> Iterator[subprocess.Popen[str]]:
    """Run `writer.py` on a home until it ends or is killed."""
    argv = [sys.executable, str(WRITER), str(settings.home), task]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
