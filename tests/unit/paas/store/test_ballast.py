"""The ballast on a disk that is really full: a small one of our own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.names import WEB, app_name
from paas.errors import DiskFullError
from paas.settings import Settings
from paas.store.ballast import SIZE, Ballast
from paas.store.database import Store
from tests.needs import need, needs
from tests.stores import open_store

needs_root = needs("root, who alone may mount a small disk", lambda: os.geteuid() == 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "mini-test", str(disk)], check=False, capture_output=True
    )
    need("a machine that lets us mount a small disk", is_here=mounted.returncode == 0)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_ballast_is_really_on_the_disk_and_private(tmp_path: Path) -> None:
    path = tmp_path / "ballast"
    Ballast(path).restore()
    assert path.stat().st_blocks * 512 >= SIZE
    assert path.stat().st_mode & 0o777 == 0o600


@needs_root
def test_on_a_full_disk_a_scale_down_can_still_be_recorded(small_disk: Path) -> None:
    settings = Settings(home=small_disk / "home")
    store = open_store(small_disk, settings=settings)
    app = store.apps.create(app_name("shop"))
    filler = fill(small_disk)
    written = write_until_full(store, app)
    assert not settings.ballast.exists()

    store.formations.set(app.id, {WEB: 0})
    store.reclaim_ballast()
    assert store.formations.get(app.id) == {WEB: 0}
    assert len(store.events.list(app.id, limit=10**6)) == written
    assert not settings.ballast.exists()

    filler.unlink()
    store.reclaim_ballast()
    assert settings.ballast.stat().st_size == SIZE
    store.close()


@needs_root
def test_a_store_cannot_be_made_on_a_full_disk_and_says_so(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(DiskFullError):
        Store.open(Settings(home=small_disk / "home"), clock=SystemClock())


def write_until_full(store: Store, app: App) -> int:
    """Append events until the disk is full; return how many were acknowledged."""
    written = 0
    try:
        while True:
            store.events.append(EventKind.APP_RENAMED, app=app.id, actor="me", cause="x" * 10000)
            written += 1
    except DiskFullError:
        return written


def fill(disk: Path) -> Path:
    """Leave 64 KiB of a disk."""
    filler = disk / "filler"
    room = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - 65536)
    return filler
