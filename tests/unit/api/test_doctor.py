"""What doctor says of the addresses that the server listens on."""

from pathlib import Path

import pytest

from api.doctor import listeners
from paas.settings import Settings


def settings(tmp_path: Path, *, listen: str, http: str) -> Settings:
    environ = {"MINI_HOME": str(tmp_path), "HOME": str(tmp_path), "MINI_LISTEN": listen, "MINI_HTTP": http}
    return Settings.from_environment(environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_addresses_of_this_machine_alone_are_well(tmp_path: Path, host: str) -> None:
    assert not list(listeners(settings(tmp_path, listen=f"{host}:8600", http=f"{host}:8080")))


def test_an_address_beyond_this_machine_is_warned_of(tmp_path: Path) -> None:
    found = list(listeners(settings(tmp_path, listen="0.0.0.0:8600", http="[::]:8080")))
    assert [(each.check, each.level) for each in found] == [("listen", "warning"), ("http", "warning")]
