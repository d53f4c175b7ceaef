"""The database under load, under kill -9 and on a full disk."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.names import app_name
from paas.errors import ConflictError, PaasError
from paas.settings import Settings
from paas.store.connections import connect
from paas.store.database import Store
from tests.stores import open_store, serve_release

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


def test_the_version_is_another_one_after_every_commit_and_no_other_time(
    store: Store, shop: App, settings: Settings
) -> None:
    before = store.version()
    store.apps.list()
    assert store.version() == before
    store.events.append(EventKind.APP_RENAMED, app=shop.id, actor="me", cause="by us")
    by_us = store.version()
    with closing(connect(settings.database)) as another:
        another.execute("UPDATE apps SET name = 'shop-2'")
    assert len({before, by_us, store.version()}) == 3


def test_a_store_that_is_closed_says_so_to_a_thread_that_still_asks(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in range(20):
            store = open_store(tmp_path / str(number))
            asking = [pool.submit(_ask_on, store) for _ in range(4)]
            store.close()
            assert all(isinstance(each.exception(), PaasError) for each in asking)


def _ask_on(store: Store) -> None:
    while True:
        store.version()


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
