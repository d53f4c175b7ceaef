"""Every command is documented: its help, an example, and docs/cli.md. The documents it reads are those of the API."""

import inspect
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer import _click as click

from api import schemas
from cli import documents
from cli.catalog import CATALOG
from cli.parser import Group, root

ROOT = Path(__file__).resolve().parents[3]


def commands() -> Iterator[tuple[str, click.Command]]:
    top = root()
    context = click.Context(top, info_name="mini")
    for name in CATALOG:
        command = top.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, Group):
            yield from ((f"{name} {child}", found) for child, found in command.commands.items())


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL)
def test_a_command_has_help_and_an_example(name: str) -> None:
    assert ALL[name].help
    assert (ALL[name].epilog or "").startswith("Example: ")
    assert f"mini {name.split(maxsplit=1)[0]}" in (ALL[name].epilog or "")


@pytest.mark.parametrize("name", CATALOG)
def test_the_catalog_says_what_the_command_says_of_itself(name: str) -> None:
    assert (ALL[name].help or "").splitlines()[0].startswith(CATALOG[name].help.rstrip("."))


@pytest.mark.parametrize("name", ALL)
def test_every_option_and_argument_is_explained(name: str) -> None:
    unexplained = [param.name for param in ALL[name].params if not getattr(param, "help", None)]
    assert unexplained == []


def test_the_page_of_commands_is_current() -> None:
    generate = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "generate.py")))
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize(
    "name",
    [name for name, kind in inspect.getmembers(documents, inspect.isclass) if hasattr(kind, "__total__")],
)
def test_a_document_has_only_members_that_the_api_gives(name: str) -> None:
    kind = getattr(documents, name)
    assert kind.__annotations__.keys() <= getattr(schemas, name).model_fields.keys()
