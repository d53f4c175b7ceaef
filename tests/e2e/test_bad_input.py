"""Bad input on the command line: each row ends with its exit code and a clear sentence, and changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import apps
from tests.e2e.harness import Mini, Repository

Make = Callable[[str], Repository]
KIB = 1024


@pytest.fixture(scope="module")
def shop(mini: Mini, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One app that every row of the tables meets; a refused command leaves it as it was."""
    repository = Repository(mini, tmp_path_factory.mktemp("repositories") / "shop")
    files = apps.web_and_worker(release="true")
    files["Procfile"] += "worker-1: python3 worker.py\n"
    return repository.write(files).create()


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        pytest.param(
            ["cron=1"], "'cron' is no process type of this app: there is web, worker", id="unknown type"
        ),
        pytest.param(["web=abc"], "'web=abc' is no scale", id="no number"),
        pytest.param(["web=-1"], "'web=-1' is no scale", id="negative"),
        pytest.param(
            ["web=10000"], "web would run at 10000; the limit is 100 of a type", id="over the limit"
        ),
        pytest.param(["web=99999999999"], "'web=99999999999' is no scale", id="a number beyond any"),
        pytest.param(["web-9"], "web would run at -8: there are 1", id="below zero"),
        pytest.param(["release=1"], "release cannot be scaled", id="the release phase"),
        pytest.param(["worker-1"], "'worker-1' is a process type without a count", id="ambiguous"),
        pytest.param(["web"], "Write web=2", id="no count"),
        pytest.param(["web=1", "web=2"], "web is named twice", id="twice"),
        pytest.param(["worker=2", "cron=1"], "'cron' is no process type", id="one bad token of two"),
        pytest.param(["web=\uff12"], "is no scale", id="digits of another script"),
        pytest.param(["web=1\n"], "is no scale", id="a line end"),
        pytest.param([""], "is no scale", id="nothing"),
    ],
)
def test_a_bad_scale_changes_nothing(mini: Mini, shop: Repository, tokens: list[str], sentence: str) -> None:
    with mini.unchanged("shop"):
        mini.run("scale", "-a", "shop", *tokens).refused(2, sentence, "nothing was changed")


def test_a_type_that_ends_like_an_operator_is_scaled_by_the_last_one(mini: Mini, shop: Repository) -> None:
    assert "worker-1 at 1" in mini.ok("scale", "worker-1=1", "-a", "shop")
    mini.up("shop", **{"worker-1": 1})
    assert "worker-1 at 0" in mini.ok("scale", "worker-1-1", "-a", "shop")


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        pytest.param(["bogus"], 2, "No such command 'bogus'", id="unknown command"),
        pytest.param(["ps", "--bogus"], 2, "No such option: --bogus", id="unknown option"),
        pytest.param(["ps", "-a", "nothere"], 3, "nothere", id="unknown app"),
        pytest.param(["ps", "-a", "../etc"], 3, "../etc", id="an app that is a path"),
        pytest.param(["ps", "-a", ""], 2, "-a APP", id="an empty app"),
        pytest.param(["logs", "-a", "nothere"], 3, "nothere", id="logs of an unknown app"),
        pytest.param(["create", "Shop"], 2, "'Shop' is no app name", id="a name in capitals"),
        pytest.param(["create", "a--b"], 2, "'a--b' is no app name", id="a name with --"),
        pytest.param(["create", "shop\n"], 2, "is no app name", id="a name with a line end"),
        pytest.param(["create", "shop"], 2, "shop", id="a name that is taken"),
        pytest.param(["rollback", "v99", "-a", "shop"], 3, "v99", id="rollback to an unknown release"),
        pytest.param(["rollback", "latest", "-a", "shop"], 2, "latest", id="rollback to no reference"),
        pytest.param(["rollback", "v0", "-a", "shop"], 3, "v0", id="rollback to v0"),
        pytest.param(["rollback", "@~99", "-a", "shop"], 3, "@~99", id="a release before the first"),
        pytest.param(["releases", "info", "v99", "-a", "shop"], 3, "v99", id="an unknown release"),
        pytest.param(
            ["run", "--release", "v99", "-a", "shop", "ls"], 125, "v99", id="run in an unknown release"
        ),
        pytest.param(["ps", "cron", "-a", "shop"], 3, "'cron'", id="instances of an unknown type"),
        pytest.param(["restart", "web.9", "-a", "shop"], 3, "web.9", id="restart of an unknown instance"),
        pytest.param(["stop", "web.9", "-a", "shop"], 3, "web.9", id="stop of an unknown instance"),
        pytest.param(["stop", "web", "-a", "shop"], 2, "mini scale web=0", id="stop of a type"),
        pytest.param(["builds", "info", "zzz", "-a", "shop"], 3, "zzz", id="an unknown build"),
        pytest.param(["domains", "add", "a b", "-a", "shop"], 2, "'a b' is no host name", id="a bad domain"),
        pytest.param(
            ["domains", "remove", "x.example.com", "-a", "shop"], 3, "x.example.com", id="no such domain"
        ),
        pytest.param(["destroy", "-a", "shop"], 2, "--confirm shop", id="destroy without confirmation"),
        pytest.param(
            ["destroy", "-a", "shop", "--confirm", "shap"], 2, "'shap' is not 'shop'", id="another name"
        ),
        pytest.param(["logs", "--grep", "(", "-a", "shop"], 2, "(", id="a bad pattern"),
        pytest.param(["logs", "--since", "soon", "-a", "shop"], 2, "--since must be", id="a bad time"),
        pytest.param(["logs", "--release", "v99", "-a", "shop"], 3, "v99", id="logs of an unknown release"),
    ],
)
def test_what_is_not_there_is_named(
    mini: Mini, shop: Repository, argv: list[str], code: int, sentence: str
) -> None:
    with mini.unchanged("shop"):
        mini.run(*argv).refused(code, sentence)


def test_without_an_app_the_apps_there_are_are_named(mini: Mini, shop: Repository, tmp_path: Path) -> None:
    mini.run("ps", cwd=tmp_path).refused(2, "Use -a APP", "shop")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("one\ntwo\n\nfour", id="newlines"),
        pytest.param("""it's "quoted" `here` $HOME \\ %s""", id="quotes"),
        pytest.param("a=b==c", id="equals signs"),
        pytest.param("", id="nothing"),
        pytest.param("  around  ", id="blanks"),
        pytest.param("Grüße, 世界 🚀", id="unicode"),
        pytest.param("x" * 64 * KIB, id="64 KiB"),
    ],
)
def test_any_text_is_a_config_value(mini: Mini, shop: Repository, value: str) -> None:
    mini.ok("config", "set", f"VALUE={value}", "-a", "shop")
    assert mini.get("shop", "/env/VALUE") == value
    assert mini.json("config", "-a", "shop")["VALUE"] == value


@pytest.mark.parametrize(
    ("argv", "stdin", "sentence"),
    [
        pytest.param(["A=-"], "x\0y", "A holds a NUL byte", id="NUL"),
        pytest.param(["A=-"], "x" * (64 * KIB + 1), "65537 bytes long; the limit is 65536", id="over 64 KiB"),
        pytest.param(["1A=x"], None, "'1A' is no config name", id="a name that begins with a digit"),
        pytest.param(["A B=x"], None, "'A B' is no config name", id="a name with a blank"),
        pytest.param(["A\n=x"], None, "is no config name", id="a name with a line end"),
        pytest.param(["=x"], None, "'' is no config name", id="no name"),
        pytest.param(["A"], None, "write A=VALUE", id="no value"),
        pytest.param(["GOOD=1", "2BAD=1"], None, "'2BAD' is no config name", id="one bad name of two"),
        pytest.param([], None, "Name what to set", id="nothing"),
        pytest.param(["--from-file", "missing.env"], None, "missing.env cannot be read", id="no such file"),
    ],
)
def test_a_bad_config_var_changes_nothing(
    mini: Mini, shop: Repository, argv: list[str], stdin: str | None, sentence: str
) -> None:
    with mini.unchanged("shop"):
        mini.run("config", "set", "-a", "shop", *argv, stdin=stdin).refused(2, sentence)
        assert "GOOD" not in mini.json("config", "-a", "shop")


def test_a_config_beyond_256_kib_changes_nothing(mini: Mini, shop: Repository, tmp_path: Path) -> None:
    file = tmp_path / "big.env"
    file.write_text("".join(f"BIG_{number}={'x' * 60 * KIB}\n" for number in range(5)))
    with mini.unchanged("shop"):
        mini.run("config", "set", "--from-file", str(file), "-a", "shop").refused(
            2, "the limit for an app is 262144"
        )


def test_a_bad_line_of_an_env_file_is_named_by_its_number(
    mini: Mini, shop: Repository, tmp_path: Path
) -> None:
    file = tmp_path / "bad.env"
    file.write_text("GOOD=1\n\nthis is no assignment\n")
    with mini.unchanged("shop"):
        mini.run("config", "set", "--from-file", str(file), "-a", "shop").refused(2, "bad.env", "line 3")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        pytest.param(["sh", "-c", "exit 3"], 3, id="its own code"),
        pytest.param(["sh", "-c", "kill -9 $$"], 137, id="128 + the signal"),
        pytest.param(["no-such-command-here"], 127, id="not found"),
        pytest.param(["./web.py"], 126, id="not executable"),
    ],
)
def test_a_one_off_ends_as_in_a_shell(mini: Mini, shop: Repository, argv: list[str], code: int) -> None:
    with mini.unchanged("shop"):
        result = mini.run("run", "-a", "shop", "--", *argv)
    assert result.code == code, result
    assert "Traceback" not in result.err


def test_an_error_is_said_on_stderr_with_json_too(mini: Mini, shop: Repository) -> None:
    result = mini.run("ps", "--json", "-a", "nothere").refused(3, "nothere")
    assert result.out == "" or json.loads(result.out)
