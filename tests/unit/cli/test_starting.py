"""Starting: the server by the first command, and commands themselves, which import little."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.starter import COMMAND, PRINT_LIMIT, environment_of_server, start_server
from cli.target import LocalTarget, reach
from paas.errors import InvalidError, UnreachableError
from paas.paths import Paths
from tests.unit.cli import documents
from tests.unit.cli.conftest import Processes, Runner
from tests.unit.cli.stand_in import StandIn

HEAVY = {
    "pydantic",
    "fastapi",
    "sqlalchemy",
    "uvicorn",
    "docker",
    "rich",
    "httpx",
    "ssl",
    "email",
    "asyncio",
    "api",
    "paas.settings",
}


def imported(*argv: str, environ: dict[str, str]) -> set[str]:
    program = (
        "import sys, json, os, cli.main; cli.main.execute(sys.argv[1:], environ=os.environ, clock=cli.main._now);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *argv], env=environ, capture_output=True, text=True)
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(modules)


def test_help_imports_no_command_and_nothing_heavy(environ: dict[str, str]) -> None:
    modules = imported("--help", environ=environ)
    assert modules & {*HEAVY, "cli.client"} == set()
    assert [name for name in modules if name.startswith("cli.commands.")] == []


def test_ps_imports_its_own_command_alone_and_nothing_heavy(environ: dict[str, str], api: StandIn) -> None:
    api.answer("GET", "/v1/apps/shop/instances", [])
    modules = imported("ps", environ=environ)
    assert modules & HEAVY == set()
    assert [name for name in modules if name.startswith("cli.commands.")] == ["cli.commands.ps"]


def test_a_server_that_runs_is_not_started_again(home: Path, api: StandIn) -> None:
    said: list[str] = []
    target = reach({"MINI_HOME": str(home)}, say=said.append)
    assert str(target) == str(Paths(home).control_socket)
    assert said == []
    assert api.asked == []


def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(home: Path) -> None:
    paths = Paths(home)
    blocked = paths.runtime
    home.joinpath("server").mkdir()
    home.joinpath("server", "control.log").write_text("of an earlier life\n")
    blocked.write_text("a file where a folder should be")
    with pytest.raises((UnreachableError, InvalidError)) as error:
        start_server(LocalTarget(paths), {"MINI_HOME": str(home), "MINI_LISTEN": "127.0.0.1:0"})
    assert "control.log" in error.value.message
    assert "earlier life" not in error.value.message


def test_a_server_that_runs_on_one_engine_is_asked_for_no_other(mini: Runner, api: StandIn) -> None:
    api.answer("GET", "/v1/server", documents.server())
    ran = mini("server", "start", "--engine", "docker")
    assert ran.code == 2
    assert "runs on the process engine" in ran.err
    assert mini("server", "start", "--engine", "process").code == 0


def test_addresses_of_a_server_that_runs_stay(mini: Runner, api: StandIn) -> None:
    api.answer("GET", "/v1/server", documents.server())
    ran = mini("server", "start", "--http", "127.0.0.1:0")
    assert ran.code == 0
    assert "stop it first" in ran.err


def test_a_server_that_is_started_from_within_a_one_off_is_none_of_its_family() -> None:
    within = {"MINI_HOME": "/srv/mini", "MINI_INSTANCE_ID": "i1", "MINI_HOME_ID": "h1"}
    assert environment_of_server(within) == {"MINI_HOME": "/srv/mini"}


def test_a_log_that_has_grown_large_is_set_aside_at_a_start(home: Path) -> None:
    log = home / "server" / "control.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (PRINT_LIMIT + 1))
    home.joinpath("run").write_text("a file where a folder should be")
    with pytest.raises((UnreachableError, InvalidError)):
        start_server(LocalTarget(Paths(home)), {"MINI_HOME": str(home), "MINI_LISTEN": "127.0.0.1:0"})
    assert log.with_name("control.log.1").stat().st_size == PRINT_LIMIT + 1
    assert log.stat().st_size < PRINT_LIMIT


def test_settings_that_cannot_be_read_start_nothing(mini: Runner) -> None:
    ran = mini("server", "start", "--engine", "magic")
    assert ran.code == 2
    assert "MINI_ENGINE must be one of auto, process, docker, swarm" in ran.err


def test_the_server_is_started_without_the_caller_s_folder_on_the_path() -> None:
    assert COMMAND == ("-I", "-m", "api.server")


def test_a_folder_with_packages_of_our_names_changes_nothing(
    process: Processes, folder: Path, api: StandIn
) -> None:
    for name in ("api", "cli", "paas", "typer"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    api.answer("GET", "/v1/apps", [])
    assert process("apps").code == 0


def test_logs_of_a_server_that_never_ran_say_so(mini: Runner, home: Path) -> None:
    ran = mini("server", "logs")
    assert ran.code == 6
    assert f"No server ever ran on {home}" in ran.err


def test_logs_of_a_server_that_fell_are_read_from_its_file(mini: Runner, home: Path) -> None:
    (home / "server").mkdir()
    (home / "server" / "control.log").write_text("one\ntwo\nthree\n")
    assert mini("server", "logs", "-n", "2").out == "control: two\ncontrol: three\n"


def test_stop_without_a_server_is_no_error(mini: Runner, home: Path) -> None:
    ran = mini("server", "stop")
    assert (ran.code, ran.err) == (0, f"No server runs on {home}.\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["mini", "re"], {"releases", "rename", "restart"}),
        (["mini", "config", "s"], {"set"}),
        (["mini", "logs", "--g"], {"--grep"}),
        (["mini", "ps", "-a", "s"], {"shop"}),
    ],
)
def test_a_shell_completes_commands_options_and_apps(
    words: list[str], expected: set[str], process: Processes, api: StandIn
) -> None:
    api.answer("GET", "/v1/apps", [{"name": "shop"}, {"name": "blog"}])
    process.environ.update(
        {"_MINI_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    )
    assert set(process().out.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_a_shell_is_printed(shell: str, mini: Runner) -> None:
    assert "_MINI_COMPLETE" in mini("completion", shell).out


def test_a_reader_that_goes_away_is_no_error_message(process: Processes, api: StandIn) -> None:
    api.text("/v1/server/logs", "line\n" * 100_000)
    with process.start("server", "logs") as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == b"line\n"
        logs.stdout.close()
        assert logs.stderr is not None
        assert logs.stderr.read() == b""
