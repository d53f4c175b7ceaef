"""What the tests of the command line share: a stand-in for the API, and a way to run `mini` against it."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from cli.main import execute
from paas.settings import Settings
from tests.unit.cli.documents import NOW
from tests.unit.cli.stand_in import StandIn, StandInServer


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command line came to."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs `mini` in this process, with an environment of its own."""

    environ: dict[str, str]
    capsys: "pytest.CaptureFixture[str]"

    def __call__(self, *argv: str, **environ: str) -> Ran:
        code = execute(argv, environ={**self.environ, **environ}, clock=lambda: datetime.fromisoformat(NOW))
        captured = self.capsys.readouterr()
        return Ran(code, captured.out, captured.err)


@pytest.fixture
def home() -> Iterator[Path]:
    """A state directory whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mini-cli-") as path:
        yield Path(path)


@pytest.fixture
def api(home: Path) -> Iterator[StandIn]:
    """The stand-in, serving."""
    stand_in = StandIn(home)
    with StandInServer(Settings(home=home).control_socket, stand_in) as server:
        thread = server.run()
        yield stand_in
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in no repository, and we are in it."""
    empty = tmp_path / "My_Shop 2"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return empty


@pytest.fixture
def mini(home: Path, folder: Path, capsys: "pytest.CaptureFixture[str]") -> Runner:
    """`mini` for the app shop, in a folder of its own; it never starts a server."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINI_HOME": str(home),
        "MINI_NO_START": "1",
        "MINI_APP": "shop",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return Runner(environ, capsys)
