"""Bad usage: the exit code, and a sentence that says what to do. Nothing is changed by it."""

import os
import pty
from pathlib import Path

import pytest

from cli.main import execute
from tests.unit.cli import documents
from tests.unit.cli.conftest import Processes, Runner
from tests.unit.cli.stand_in import StandIn

TABLE = [
    pytest.param(["bogus"], 2, "No such command 'bogus'", id="unknown command"),
    pytest.param(["scal", "web=1"], 2, "Did you mean 'scale'", id="typo"),
    pytest.param(["config", "bogus"], 2, "No such command 'bogus'", id="unknown command of a group"),
    pytest.param(["ps", "--bogus"], 2, "No such option: --bogus", id="unknown option"),
    pytest.param(["config", "set"], 2, "Name what to set", id="nothing to set"),
    pytest.param(["config", "set", "DEBUG"], 2, "write DEBUG=VALUE", id="set without a value"),
    pytest.param(["config", "set", "1A=x"], 2, "'1A' is no config name", id="bad name"),
    pytest.param(["config", "set", "A=1", "A=2"], 2, "A is given twice", id="a name twice"),
    pytest.param(
        ["config", "set", "A=-", "B=-"], 2, "Only one value can be read from stdin", id="two from stdin"
    ),
    pytest.param(
        ["config", "set", "--from-file", "none.env"], 2, "none.env cannot be read", id="no such file"
    ),
    pytest.param(
        ["config", "set", "A=1", "--wait-lock", "soon"],
        2,
        "--wait-lock must be a duration",
        id="bad duration",
    ),
    pytest.param(["config", "unset", "A B"], 2, "'A B' is no config name", id="bad name to unset"),
    pytest.param(["logs", "-s", "web"], 2, "--source is app or mini", id="bad source"),
    pytest.param(["logs", "--since", "yesterday"], 2, "--since must be a duration", id="bad time"),
    pytest.param(["logs", "-n", "many"], 2, "'many' is not a valid int", id="bad number"),
    pytest.param(["scale", "web=abc"], 2, "'web=abc' is no scale", id="no count"),
    pytest.param(["scale", "web=-1"], 2, "'web=-1' is no scale", id="negative count"),
    pytest.param(["scale", "worker=2", "web"], 2, "Write web=2.", id="a type alone"),
    pytest.param(["scale", "web", "3"], 2, "Write web=3.", id="a type and its count apart"),
    pytest.param(["stop", "web"], 2, "mini scale web=0", id="stop of a whole type"),
    pytest.param(["stop", "run"], 2, "such as run.1.", id="stop of all one-offs"),
    pytest.param(["run"], 2, "Missing argument 'CMD...'", id="nothing to run"),
    pytest.param(["run", "-e", "A", "ls"], 2, "-e takes K=V", id="bad variable"),
    pytest.param(["push"], 2, "in no git repository", id="push outside a repository"),
    pytest.param(["push", "--wait-lock", "x"], 2, "--wait-lock must be a duration", id="bad lock"),
    pytest.param(["destroy"], 2, "--confirm shop", id="destroy without confirmation"),
    pytest.param(["destroy", "--confirm", "blog"], 2, "'blog' is not 'shop'", id="another app confirmed"),
    pytest.param(["local"], 2, "There is no Procfile", id="no Procfile"),
    pytest.param(["completion", "tcsh"], 2, "'tcsh' is not one of", id="unknown shell"),
    pytest.param(["server", "start", "--http", "8080"], 2, "MINI_HTTP must be HOST:PORT", id="bad address"),
    pytest.param(["config", "get", "NONE"], 3, "shop has no config var NONE", id="unknown variable"),
    pytest.param(["ps", "cron"], 3, "no process type 'cron'", id="unknown type"),
    pytest.param(
        ["open", "--release", "v1"], 2, "v42 serves shop, and v1 does not run", id="open of another"
    ),
    pytest.param(["open", "--release", "v43"], 2, "v43 is still being deployed", id="open of what starts"),
    pytest.param(["open", "--release", "@"], 2, "none of its web instances is up", id="open of what is down"),
    pytest.param(["maintenance", "maybe"], 2, "'maybe' is not one of 'on', 'off'", id="no switch"),
    pytest.param(["domains", "add", "a.b", "--cert", "x"], 2, "--cert and --key go", id="no key"),
    pytest.param(["domains", "add", "a.b", "--cert", "x", "--key", "y"], 2, "x cannot be read", id="no file"),
    pytest.param(["server", "start", "--https", "on"], 2, "MINI_HTTPS must be HOST:PORT", id="bad HTTPS"),
]


@pytest.mark.parametrize(("argv", "code", "sentence"), TABLE)
def test_bad_usage_is_said_and_changes_nothing(
    argv: list[str], code: int, sentence: str, mini: Runner, api: StandIn
) -> None:
    api.answer("GET", "/v1/apps/shop", {"name": "shop", "release": 42, "url": "http://shop.localhost"})
    api.answer("GET", "/v1/apps/shop/releases/v1", documents.release(1))
    api.answer("GET", "/v1/apps/shop/releases/v43", documents.release(43, status="pending"))
    api.answer("GET", "/v1/apps/shop/releases/%40", documents.release(42, current=True))
    api.answer("GET", "/v1/apps/shop/config", {"release": 1, "variables": {"A": "1"}})
    api.answer("GET", "/v1/apps/shop/instances", [])
    api.answer("GET", "/v1/apps/shop/formation", {"types": {"web": 1}, "commands": {}})
    ran = mini(*argv)
    assert (ran.code, ran.out) == (code, "")
    assert sentence in ran.err
    assert ran.err.startswith(" !    ")
    assert [asked.method for asked in api.asked if asked.method != "GET"] == []


@pytest.mark.parametrize("argv", [["add", "a.b"], ["remove", "a.b"]], ids=["add", "remove"])
def test_a_domain_that_is_refused_is_not_said_to_be_added_or_removed(
    argv: list[str], mini: Runner, api: StandIn
) -> None:
    detail = "It is not to be."
    api.problem("POST", "/v1/apps/shop/domains", status=422, code="invalid", detail=detail)
    api.problem("DELETE", "/v1/apps/shop/domains/a.b", status=422, code="invalid", detail=detail)
    assert mini("domains", *argv).err == f" !    {detail}\n"


def test_on_a_terminal_the_line_of_what_was_not_begun_is_taken_back(process: Processes, api: StandIn) -> None:
    api.problem("POST", "/v1/apps/shop/restarts", status=404, code="not_found", detail="No cron.")
    ours, theirs = pty.openpty()
    with process.start("restart", "cron", stdout=theirs, stderr=theirs) as restart:
        assert restart.wait(timeout=20) == 3
    os.close(theirs)
    assert os.read(ours, 1000).startswith(b"Restarting cron... \r\x1b[K")
    os.close(ours)


def test_without_an_app_the_apps_there_are_are_named(mini: Runner, api: StandIn) -> None:
    api.answer("GET", "/v1/apps", [{"name": "blog"}, {"name": "shop"}])
    ran = mini("ps", MINI_APP="")
    assert ran.code == 2
    assert "Use -a APP" in ran.err
    assert "Apps: blog, shop." in ran.err


def test_without_any_app_it_says_how_to_make_one(mini: Runner, api: StandIn) -> None:
    api.answer("GET", "/v1/apps", [])
    assert "mini create NAME" in mini("ps", MINI_APP="").err


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        pytest.param(404, "not_found", 3, id="not found"),
        pytest.param(403, "not_allowed", 4, id="not allowed"),
        pytest.param(423, "lease_held", 5, id="lease held"),
        pytest.param(410, "artifact_gone", 14, id="artifact gone"),
        pytest.param(500, "internal", 1, id="internal"),
        pytest.param(418, "brewing", 1, id="a code of a newer server"),
    ],
)
def test_a_problem_becomes_its_sentence_and_exit_code(
    status: int, code: str, expected: int, mini: Runner, api: StandIn
) -> None:
    api.problem("GET", "/v1/apps/shop", status=status, code=code, detail="The thing is so.")
    ran = mini("info")
    assert (ran.code, ran.out) == (expected, "")
    assert ran.err.startswith(" !    The thing is so.")


def test_the_request_id_is_named_for_an_error_of_the_server_itself(mini: Runner, api: StandIn) -> None:
    api.problem("GET", "/v1/apps/shop", status=500, code="internal", detail="Oh.")
    assert "(request req-1)" in mini("info").err


def test_no_server_is_exit_6_and_says_how_to_start_one(mini: Runner, home: Path) -> None:
    ran = mini("apps")
    assert ran.code == 6
    assert ran.err == f" !    No server runs on {home}. Start it with `mini server start`.\n"


@pytest.mark.parametrize(
    ("checks", "sentence"),
    [
        pytest.param(
            [], "shop sets no checks: web is healthy when it listens on its PORT.\n", id="no checks"
        ),
        pytest.param(
            [{}], "No instance of shop that has a check is up: see `mini ps`.\n", id="nothing is up"
        ),
    ],
)
def test_a_run_of_checks_that_asks_nobody_says_why(
    checks: list[object], sentence: str, mini: Runner, api: StandIn
) -> None:
    api.answer("POST", "/v1/apps/shop/checks/run", [])
    api.answer("GET", "/v1/apps/shop/checks", checks)
    ran = mini("checks", "run")
    assert (ran.code, ran.out, ran.err) == (0, "", sentence)


def test_instances_on_their_way_out_are_listed_and_not_counted(mini: Runner, api: StandIn) -> None:
    states = {"web.1": "up", "web.2": "crashed", "web.3": "stopping", "web.4": "draining", "web.5": "stopped"}
    rows = [documents.instance(name, state=state) for name, state in states.items()]
    api.answer("GET", "/v1/apps/shop/instances", rows)
    heading, *lines = mini("ps").out.splitlines()
    assert heading == "=== web: gunicorn shop.wsgi (2)"
    assert [line.partition(":")[0] for line in lines] == list(states)


def test_no_start_is_taken_as_an_option(mini: Runner) -> None:
    assert mini("--no-start", "apps", MINI_NO_START="").code == 6
    assert mini("apps", "--no-start", MINI_NO_START="").code == 6


def test_a_remote_server_that_is_not_there_is_exit_6(mini: Runner) -> None:
    ran = mini("apps", MINI_URL="http://127.0.0.1:1", MINI_TOKEN="mini_x")
    assert ran.code == 6
    assert "http://127.0.0.1:1 does not answer" in ran.err


@pytest.mark.parametrize("url", ["localhost:8600", "ftp://x", "http://", "http://x:99999", "nonsense"])
def test_a_bad_url_of_a_server_is_said(url: str, mini: Runner) -> None:
    ran = mini("apps", MINI_URL=url)
    assert ran.code == 2
    assert "MINI_URL must be like http://127.0.0.1:8600" in ran.err


def test_an_unexpected_error_is_one_sentence_and_no_traceback(
    mini: Runner, api: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    api.answer("GET", "/v1/apps/shop", {"surprise": True})
    ran = mini("info")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    kept = next(tmp_path.glob("mini-error-*"))
    assert str(kept) in ran.err
    assert "Traceback" in kept.read_text()


def test_help_without_a_command_is_no_error(capsys: "pytest.CaptureFixture[str]") -> None:
    assert execute([], environ={}, clock=lambda: pytest.fail("no time is needed")) == 0
    assert "Usage: mini" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--help"], ["version"]])
def test_an_output_that_finds_no_room_is_said_and_fails(argv: list[str], process: Processes) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with process.start(*argv, stdout=full) as started:
            _, said = started.communicate(timeout=30)
    finally:
        os.close(full)
    assert started.returncode == 1
    assert said.decode() == " !    What this command had to write is not whole: No space left on device.\n"
