from pathlib import Path

import pytest

from builds.caches import cache_name
from paas.domain.ids import AppId

SHOP, BLOG = AppId("shop"), AppId("blog")


def test_an_app_keeps_its_caches_and_shares_them_with_no_app_and_no_home(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    names = [cache_name(here, SHOP), cache_name(here, BLOG), cache_name(there, SHOP)]
    assert len(set(names)) == 3
    assert [cache_name(here, SHOP), cache_name(here, BLOG), cache_name(there, SHOP)] == names


def test_the_key_is_for_the_owners_eyes_and_nothing_else_is_left(tmp_path: Path) -> None:
    cache_name(tmp_path, SHOP)
    (key,) = tmp_path.iterdir()
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [b"", b"half"])
def test_a_key_that_a_crash_cut_short_is_made_anew(tmp_path: Path, left: bytes) -> None:
    cache_name(tmp_path, SHOP)
    (key,) = tmp_path.iterdir()
    key.write_bytes(left)
    cache_name(tmp_path, SHOP)
    assert len(key.read_bytes()) == 32
