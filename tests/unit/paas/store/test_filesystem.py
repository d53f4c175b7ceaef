"""The state directory: private, and on a local disk."""

from pathlib import Path

import pytest

from paas.errors import InvalidError, UnsupportedError
from paas.settings import Settings
from paas.store.database import Store
from paas.store.filesystem import filesystem_type, make_private, refuse_network


def test_nobody_else_can_look_into_the_state_directory(store: Store, settings: Settings) -> None:
    store.meta.home_id()
    assert settings.home.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in settings.home.glob("mini.db*")}
    assert modes == dict.fromkeys(["mini.db", "mini.db-wal", "mini.db-shm"], 0o600)


def test_a_folder_that_is_shared_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(InvalidError, match="belongs to others too"):
        make_private(shared)
    assert shared.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize(
    ("magic", "name"),
    [
        pytest.param(0x6969, "NFS", id="nfs"),
        pytest.param(0xFF534D42, "CIFS", id="cifs"),
        pytest.param(0x01021997, "9P", id="9p"),
    ],
)
def test_a_network_filesystem_is_refused_by_name(tmp_path: Path, magic: int, name: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"network filesystem \({name}\).*MINI_HOME"):
        refuse_network(tmp_path, magic)


def test_a_local_filesystem_is_taken(tmp_path: Path) -> None:
    refuse_network(tmp_path, filesystem_type(tmp_path))
    assert filesystem_type(Path("/proc")) == 0x9FA0
