"""`mini create`: the name that is asked for, and how to push to the new app. git is real."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.cli import documents
from tests.unit.cli.conftest import Runner
from tests.unit.cli.stand_in import StandIn


@pytest.fixture(autouse=True)
def _takes_any_app(api: StandIn) -> None:
    api.answer("POST", "/v1/apps", documents.app(name="foo"), status=201)


def repository(folder: Path, *, branch: str) -> None:
    subprocess.run(["git", "init", "-q", "-b", branch, str(folder)], check=True)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        pytest.param(["foo"], "foo", id="NAME"),
        pytest.param(["-a", "foo"], "foo", id="-a"),
        pytest.param(["foo", "-a", "foo"], "foo", id="both, the same"),
        pytest.param([], None, id="neither, whatever MINI_APP says"),
    ],
)
def test_the_name_is_that_of_the_argument_or_of_the_option(
    argv: list[str], name: str | None, mini: Runner, api: StandIn
) -> None:
    assert mini("create", *argv).code == 0
    assert api.bodies("POST", "/v1/apps") == [{"name": name}]


def test_two_names_are_refused(mini: Runner, api: StandIn) -> None:
    ran = mini("create", "foo", "-a", "bar")
    assert ran.code == 2
    assert "The app would be foo by NAME and bar by -a; nothing was created." in ran.err
    assert api.asked == []


@pytest.mark.parametrize(
    ("branch", "advice"),
    [
        pytest.param("main", "`git push mini main`", id="main"),
        pytest.param("master", "`git push mini master`", id="master"),
        pytest.param("trunk", "`git push mini trunk:main`", id="one that is stored and not deployed"),
    ],
)
def test_the_branch_that_is_checked_out_is_the_one_to_push(
    branch: str, advice: str, folder: Path, mini: Runner
) -> None:
    repository(folder, branch=branch)
    assert f"push to it with `mini push`, or {advice}." in mini("create", "foo").err


def test_where_no_remote_names_it_the_app_is_to_be_named(folder: Path, mini: Runner) -> None:
    assert "push to it with `mini push -a foo`." in mini("create", "foo").err
    repository(folder, branch="main")
    subprocess.run(["git", "remote", "add", "mini", "mini::bar"], check=True)
    assert "push to it with `mini push -a foo`." in mini("create", "foo").err
