"""Servers in bad places: a taken port, a second server, odd settings, a full disk. What runs already is not touched."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import apps
from tests.e2e.engines import Engine
from tests.e2e.harness import BIN, Mini, Repository, kill
from tests.e2e.machine import alive
from tests.needs import need, needs

needs_root = needs("root, who alone may mount a small file system", lambda: os.geteuid() == 0)


@pytest.fixture
def other(engine: Engine, tmp_path: Path) -> Iterator[Mini]:
    """Another home, where no server runs yet."""
    server = Mini(tmp_path / "other", engine=engine)
    yield server
    server.stop()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


# -- a second server ------------------------------------------------------------------------------------------------
def test_a_second_start_finds_the_server_that_runs(mini: Mini) -> None:
    control = mini.status()["pids"]["control"]
    result = mini.run("server", "start")
    assert result.code == 0
    assert "runs already" in result.err
    assert mini.status()["pids"]["control"] == control


def test_a_second_server_on_the_same_state_directory_is_refused(mini: Mini) -> None:
    before = mini.status()
    result = mini.command(str(BIN / "python"), "-I", "-m", "api.server")
    assert result.code == 1, result
    assert "server already runs on" in result.err
    assert str(mini.home) in result.err
    assert "Traceback" not in result.err
    assert mini.status() == before


def test_servers_with_different_homes_live_side_by_side(mini: Mini, other: Mini) -> None:
    other.start()
    assert other.status()["http"] != mini.status()["http"]
    other.ok("create", "alone")
    assert "alone" not in mini.ok("apps")


def test_addresses_are_remembered_by_a_start_that_is_told_none(other: Mini) -> None:
    untold = {"MINI_HTTP": "", "MINI_HTTPS": "", "MINI_LISTEN": ""}
    http, api = (f"127.0.0.1:{free_port()}" for _ in range(2))
    other.run("server", "start", "--http", http, "--listen", api, "--https", "off", env=untold)
    other.ok("server", "stop")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other.run("server", "start", env={"MINI_HTTP": address}).refused(2, address)
    assert other.run("apps", env=untold).code == 0
    told = other.status()
    assert (told["http"], told["api"], told["https"]) == (http, api, None)
    other.ok("server", "stop")
    other.start()
    assert other.status()["http"] != http


@pytest.mark.parametrize("setting", ["MINI_HTTP", "MINI_HTTPS", "MINI_LISTEN"])
def test_a_remembered_address_that_is_taken_is_said_to_be_remembered(other: Mini, setting: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert other.run("server", "start", env={setting: address}).code == 0
    other.ok("server", "stop")
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        untold = other.run("server", "start", env={setting: ""})
        untold.refused(2, address, setting, "remembered from an earlier start")
        told = other.run("server", "start", env={setting: address})
        assert "remembered from an earlier start" not in told.err
        assert other.run("server", "start", env={setting: f"127.0.0.1:{free_port()}"}).code == 0
    other.ok("server", "stop")
    assert other.run("server", "start", env={setting: ""}).code == 0


def test_stop_ends_what_a_killed_control_plane_left(other: Mini, tmp_path: Path) -> None:
    repository = Repository(other, tmp_path / "left").write(apps.web())
    repository.commit()
    repository.push()
    planes = other.status()["pids"]
    running = other.running("left").values()
    kill(planes["control"])
    assert other.stop().code == 0
    assert not any(alive(pid) for pid in (planes["logs"], *planes["router"]))
    assert not any(each.is_alive() for each in running)
    other.empty()


# -- settings -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"MINI_HTTP": "8080"}, "MINI_HTTP must be HOST:PORT", id="no host"),
        pytest.param({"MINI_LISTEN": "127.0.0.1:99999"}, "MINI_LISTEN must be HOST:PORT", id="no such port"),
        pytest.param({"MINI_ENGINE": "lxc"}, "MINI_ENGINE must be one of", id="unknown engine"),
        pytest.param({"MINI_BOOT_LIMIT": "soon"}, "MINI_BOOT_LIMIT must be a whole number", id="no number"),
        pytest.param({"MINI_STOP_GRACE": "-1"}, "MINI_STOP_GRACE must be a whole number", id="below zero"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(other: Mini, settings: dict[str, str], sentence: str) -> None:
    other.run("server", "start", env=settings).refused(2, sentence)
    assert not other.home.exists()


@pytest.mark.parametrize("setting", ["MINI_HTTP", "MINI_LISTEN"])
def test_a_port_that_another_program_has_is_named(other: Mini, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other.run("server", "start", env={setting: address}).refused(2, address, "another program", setting)
    other.start()


def test_a_home_keeps_its_engine(engine: Engine, other: Mini) -> None:
    other.start()
    other.stop()
    (foreign,) = {"process", "docker"} - {engine.name}
    other.run("server", "start", "--engine", foreign).refused(2, f"runs on the {engine.name} engine", foreign)
    other.start()
    assert other.status()["engine"] == engine.name


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = Mini(tmp_path / "file").run("server", "start")
    result.refused(2, str(tmp_path / "file"), "Not a directory", "MINI_HOME")
    assert "bug" not in result.err
    assert (tmp_path / "file").read_text() == ""


def test_a_home_with_a_path_too_long_for_a_socket_works(engine: Engine, tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    server = Mini(deep / "home", engine=engine)
    server.start()
    assert server.status()["home"] == str(server.home)
    assert server.stop().code == 0


def test_without_a_server_and_told_not_to_start_one_it_is_exit_6(other: Mini) -> None:
    other.run("apps", env={"MINI_NO_START": "1"}).refused(6, "mini server start")
    other.run("apps", "--no-start").refused(6, "mini server start")
    other.run("server", "status").refused(6, "mini server start")
    assert not (other.home / "mini.db").exists()


def test_a_command_that_needs_the_server_starts_it_and_says_so(other: Mini) -> None:
    result = other.run("apps")
    assert result.code == 0
    assert f"Starting the server of {other.home}" in result.err


# -- a full disk ----------------------------------------------------------------------------------------------------
@pytest.fixture
def cramped(engine: Engine, tmp_path: Path) -> Iterator[Mini]:
    """A server whose home is on a file system of a few MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    need("a machine that lets us mount a small file system", is_here=mounted.returncode == 0)
    server = Mini(disk / "home", engine=engine)
    server.start()
    yield server
    stopped = server.stop()
    subprocess.run(["umount", "-l", str(disk)], check=True)
    assert stopped.code == 0, stopped


@needs_root
def test_on_a_full_disk_commands_fail_clearly_and_the_app_serves_on(cramped: Mini, tmp_path: Path) -> None:
    shop = Repository(cramped, tmp_path / "shop").write(apps.web()).create()
    before = cramped.snapshot("shop")
    filler = cramped.home.parent / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(filler.parent).free - 4096))
    shop.write({**apps.web("two"), "big.txt": "".join(map(str, range(300_000)))}).commit()
    shop.try_push().refused(1, "The disk that holds the state directory is full", "Free space")
    assert cramped.get("shop").startswith("one web.1 v1 ")
    assert cramped.snapshot("shop") == before
    filler.unlink()
    shop.push()
    assert cramped.get("shop").startswith("two web.1 ")
    cramped.empty()
