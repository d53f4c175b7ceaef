"""Reading command lines: options everywhere, colon forms, groups that list by default."""

import pytest
from typer import _click as click

from cli.catalog import CATALOG, GROUPS, expanded
from cli.parser import Group, root, with_command
from tests.unit.cli import documents
from tests.unit.cli.conftest import Runner
from tests.unit.cli.stand_in import StandIn


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["config:set", "A=1"], ["config", "set", "A=1"]),
        (["ps:scale", "web=1"], ["scale", "web=1"]),
        (["ps:restart"], ["restart"]),
        (["releases:rollback", "v1"], ["rollback", "v1"]),
        (["releases:info"], ["releases", "info"]),
        (["apps:create", "x"], ["create", "x"]),
        (["ps", "scale", "web=2"], ["scale", "web=2"]),
        (["ps", "restart"], ["restart"]),
        (["ps", "stop", "web.1"], ["stop", "web.1"]),
        (["releases", "rollback", "v1"], ["rollback", "v1"]),
        (["releases", "info"], ["releases", "info"]),
        (["ps"], ["ps"]),
        (["nothing:here"], ["nothing:here"]),
        (["run:detached", "rake"], ["run:detached", "rake"]),
    ],
)
def test_colon_forms_are_taken_apart(arguments: list[str], expected: list[str]) -> None:
    assert expanded(arguments) == expected


def test_exactly_the_groups_have_colon_forms_of_their_own() -> None:
    context = click.Context(root())
    commands = {name: root().get_command(context, name) for name in CATALOG}
    assert {name for name, command in commands.items() if isinstance(command, Group)} == GROUPS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["list"]),
        (["-s"], ["list", "-s"]),
        (["-n", "5"], ["list", "-n", "5"]),
        (["set", "A=1"], ["set", "A=1"]),
        (["-a", "shop", "set", "A=1"], ["set", "-a", "shop", "A=1"]),
        (["-a", "set", "-s"], ["list", "-a", "set", "-s"]),
        (["bogus"], ["bogus"]),
        (["--help"], ["--help"]),
    ],
)
def test_a_group_lists_where_no_command_is_named(arguments: list[str], expected: list[str]) -> None:
    assert with_command(arguments, ["list", "set"]) == expected


@pytest.mark.parametrize(
    "argv",
    [
        ["-a", "blog", "--json", "releases"],
        ["releases", "-a", "blog", "--json"],
        ["--json", "releases", "--app=blog"],
        ["releases", "list", "--json", "--app", "blog"],
        ["-a", "blog", "releases", "--json", "-n", "3"],
        ["-qa", "blog", "releases:list", "--json"],
    ],
)
def test_global_options_are_taken_before_and_after_the_command(
    argv: list[str], mini: Runner, api: StandIn
) -> None:
    api.answer("GET", "/v1/apps/blog/releases", [])
    ran = mini(*argv)
    assert (ran.code, ran.out) == (0, "[]\n")


def test_an_option_s_value_is_not_taken_for_an_option(mini: Runner, api: StandIn) -> None:
    api.stream("/v1/apps/shop/logs")
    mini("logs", "--grep", "--json")
    assert api.asked[0].query["grep"] == "--json"


def test_the_option_names_the_app_before_the_environment(mini: Runner, api: StandIn) -> None:
    for name in ("shop", "blog"):
        api.answer("GET", f"/v1/apps/{name}", documents.app(name=name))
    assert mini("info", "-a", "blog").out.startswith("=== blog")
    assert mini("info").out.startswith("=== shop")


def test_verbose_prints_each_request_with_its_id(mini: Runner, api: StandIn) -> None:
    api.answer("GET", "/v1/apps", [])
    assert "GET /v1/apps status=200" in mini("apps", "-v").err
    assert "request_id=req-1" in mini("-v", "apps").err


def test_quiet_prints_no_progress(mini: Runner, api: StandIn) -> None:
    api.answer("GET", "/v1/apps", [])
    assert mini("apps").err != ""
    assert mini("apps", "-q").err == ""
