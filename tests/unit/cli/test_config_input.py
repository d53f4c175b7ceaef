"""Where config values come from: arguments, stdin, a .env file, an editor."""

import shlex
from pathlib import Path

import pytest

from tests.unit.cli import documents
from tests.unit.cli.conftest import Processes
from tests.unit.cli.stand_in import StandIn

CONFIG = "/v1/apps/shop/config"


@pytest.fixture(autouse=True)
def takes_changes(api: StandIn) -> None:
    api.answer("GET", CONFIG, {"release": 42, "variables": {"A": "1", "B": "2"}})
    api.answer("PATCH", CONFIG, documents.deployment(changed=False))


def changes(api: StandIn) -> object:
    (body,) = api.bodies("PATCH", CONFIG)
    assert isinstance(body, dict)
    return body["changes"]


def test_a_dash_reads_the_value_from_stdin_without_its_last_end_of_line(
    process: Processes, api: StandIn
) -> None:
    assert process("config", "set", "KEY=-", "X=y=z", stdin="line one\nline two\n").code == 0
    assert changes(api) == {"KEY": "line one\nline two", "X": "y=z"}


def test_a_file_s_variables_are_set_and_arguments_go_before_them(
    process: Processes, api: StandIn, folder: Path
) -> None:
    (folder / "prod.env").write_text("export A='x y'\nB=\nC=3\n")
    assert process("config", "set", "--from-file", "prod.env", "C=4").code == 0
    assert changes(api) == {"A": "x y", "B": "", "C": "4"}


def test_unset_sends_the_names(process: Processes, api: StandIn) -> None:
    assert process("config", "unset", "A", "B").code == 0
    assert changes(api) == {"A": None, "B": None}


def test_the_editor_s_changes_are_one_change(
    process: Processes, api: StandIn, environ: dict[str, str], folder: Path
) -> None:
    editor = folder / "editor"
    editor.write_text('#!/bin/sh\nstat -c %a "$1" > mode\nprintf "B=3\\nC=\'new\'\\n" > "$1"\n')
    editor.chmod(0o755)
    environ["EDITOR"] = shlex.quote(str(editor))
    assert process("config", "edit").code == 0
    assert changes(api) == {"A": None, "B": "3", "C": "new"}
    assert (folder / "mode").read_text() == "600\n"


def test_an_editor_that_changes_nothing_makes_no_release(
    process: Processes, api: StandIn, environ: dict[str, str]
) -> None:
    environ["EDITOR"] = "true"
    ran = process("config", "edit")
    assert (ran.code, ran.err) == (0, "Nothing was changed.\n")
    assert api.bodies("PATCH", CONFIG) == []


def test_an_edit_that_the_server_refuses_keeps_the_text(
    process: Processes, api: StandIn, environ: dict[str, str], folder: Path
) -> None:
    api.answers.clear()
    api.answer("GET", CONFIG, {"release": 42, "variables": {}})
    api.problem("PATCH", CONFIG, status=422, code="invalid", detail="The value of B is too long.")
    environ |= {"EDITOR": "sh -c 'echo B=3 > $0'", "TMPDIR": str(folder)}
    ran = process("config", "edit")
    assert ran.code == 2
    (kept,) = folder.glob("mini-config-*.env")
    assert f"Your text is in {kept}." in ran.err
    assert kept.read_text() == "B=3\n"


@pytest.mark.parametrize("editor", ["false", "no-such-editor-here", "/", "'", "sh -c 'echo nonsense > $0'"])
def test_an_edit_that_fails_changes_nothing_and_keeps_the_text(
    editor: str, process: Processes, api: StandIn, environ: dict[str, str], folder: Path
) -> None:
    environ |= {"EDITOR": editor, "TMPDIR": str(folder)}
    ran = process("config", "edit")
    assert ran.code == 2
    (kept,) = folder.glob("mini-config-*.env")
    assert f"Nothing was changed; your text is in {kept}." in ran.err
    assert api.bodies("PATCH", CONFIG) == []


def test_no_change_before_the_first_release_names_none(process: Processes, api: StandIn) -> None:
    unchanged = documents.deployment(kind="config", changed=False, release=None, serving=None)
    api.answers.clear()
    api.answer("PATCH", CONFIG, unchanged)
    assert process("config", "unset", "A").out == "no change\n"


def test_every_change_carries_a_key_of_its_own(process: Processes, api: StandIn) -> None:
    process("config", "set", "A=1")
    process("config", "set", "A=1")
    keys = [asked.headers["idempotency-key"] for asked in api.asked if asked.method == "PATCH"]
    assert len(set(keys)) == 2
