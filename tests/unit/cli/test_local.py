"""`mini local`: the Procfile in the foreground, run and printed by honcho."""

import re
import signal
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Processes
from tests.unit.cli.stand_in import StandIn


def lines_of(output: str) -> set[str]:
    return {re.sub(r"^\S+ (\S+)\s*\| ", r"\1 ", line) for line in output.splitlines() if "system" not in line}


@pytest.fixture(autouse=True)
def config(api: StandIn) -> None:
    api.answer("GET", "/v1/apps/shop/config", {"release": 1, "variables": {"A": "app", "B": "app"}})


def test_each_type_gets_its_ports_and_the_config_and_env_file_before_it(
    process: Processes, folder: Path
) -> None:
    show = 'echo "$PS $HOST:$PORT $A $B"'
    (folder / "Procfile").write_text(f"release: echo never\nweb: {show}; sleep 20\nworker: {show}; sleep 1\n")
    (folder / ".env").write_text("B=file\n")
    ran = process("local", "-c", "web=2")
    assert {
        "web.1 web.1 127.0.0.1:5000 app file",
        "web.2 web.2 127.0.0.1:5001 app file",
        "worker.1 worker.1 127.0.0.1:5100 app file",
    } <= lines_of(ran.out)
    assert "never" not in ran.out


def test_all_stop_when_one_ends_and_its_exit_code_is_ours(process: Processes, folder: Path) -> None:
    (folder / "Procfile").write_text("web: sleep 100\nworker: exit 3\n")
    assert process("local").code == 3


def test_ctrl_c_stops_all(process: Processes, folder: Path) -> None:
    (folder / "Procfile").write_text("web: echo ready; sleep 100\n")
    with process.start("local") as local:
        assert local.stdout is not None
        while b"ready" not in local.stdout.readline():
            pass
        local.send_signal(signal.SIGINT)
        local.communicate(timeout=20)
    assert local.returncode == 130


@pytest.mark.parametrize("attempt", range(5))
def test_ctrl_c_stops_all_amid_a_flood_of_lines(process: Processes, folder: Path, attempt: int) -> None:
    (folder / "Procfile").write_text("web: while :; do echo ready; done\n")
    with process.start("local") as local:
        assert local.stdout is not None
        while b"ready" not in local.stdout.readline():
            pass
        local.stdout.read(4096 * (attempt + 1))
        local.send_signal(signal.SIGINT)
        local.communicate(timeout=20)
    assert local.returncode == 130


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("web", "-c takes TYPE=N"),
        ("cron=1", "-c takes TYPE=N"),
        ("web=many", "-c takes TYPE=N"),
        ("release=1", "-c takes"),
    ],
)
def test_bad_counts_are_refused(option: str, sentence: str, process: Processes, folder: Path) -> None:
    (folder / "Procfile").write_text("web: true\nrelease: true\n")
    ran = process("local", "-c", option)
    assert ran.code == 2
    assert sentence in ran.err


def test_a_procfile_that_cannot_be_read_is_refused_with_its_line(process: Processes, folder: Path) -> None:
    (folder / "Procfile").write_text("web: true\nnonsense\n")
    ran = process("local")
    assert ran.code == 2
    assert "Procfile line 2" in ran.err
