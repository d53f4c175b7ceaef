"""What the tests of the command line share: a stand-in for the API, and a way to run `mini` against it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from cli.main import execute
from paas.paths import Paths
from tests.unit.cli.documents import NOW
from tests.unit.cli.stand_in import StandIn, StandInServer

MINI = str(Path(sys.executable).parent / "mini")


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


@dataclass(frozen=True, slots=True)
class Processes:
    """Runs `mini` as a process of its own."""

    environ: dict[str, str]

    def start(
        self,
        *argv: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **environ: str,
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [MINI, *argv],
            env={**self.environ, **environ},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )

    def __call__(self, *argv: str, stdin: str = "") -> Ran:
        with self.start(*argv, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin.encode(), timeout=30)
        return Ran(process.returncode, out.decode(), err.decode())


@pytest.fixture
def home() -> Iterator[Path]:
    """A state directory whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mini-cli-") as path:
        yield Path(path)


@pytest.fixture
def api(home: Path) -> Iterator[StandIn]:
    """The stand-in, serving."""
    stand_in = StandIn(home)
    with StandInServer(Paths(home).control_socket, stand_in) as server:
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
def environ(home: Path, folder: Path) -> dict[str, str]:
    """For the app shop, in a folder of its own; no server is started."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINI_HOME": str(home),
        "MINI_NO_START": "1",
        "MINI_APP": "shop",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


@pytest.fixture
def mini(environ: dict[str, str], capsys: "pytest.CaptureFixture[str]") -> Runner:
    """`mini`, run in this process."""
    return Runner(environ, capsys)


@pytest.fixture
def process(environ: dict[str, str]) -> Processes:
    """`mini`, run as a process."""
    return Processes(environ)
