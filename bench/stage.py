"""A server and an app to measure, set up through the doors that users use."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.e2e.apps import web, web_and_worker
from tests.e2e.harness import Mini, Repository

__all__ = [
    "Mini",
    "Repository",
    "answering",
    "push_to_answer",
    "pythons",
    "quiet",
    "seconds",
    "stage",
    "web",
    "web_and_worker",
]

_QUIET = 2.0
"""Seconds."""


@contextmanager
def stage(environ: Mapping[str, str] | None = None) -> Iterator[Mini]:
    """A running server in a fresh home, with these variables, stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mini-bench."))
    # With byte code, as everybody's second command has it: some environments turn that off.
    server = Mini(folder / "home", {"PYTHONDONTWRITEBYTECODE": "", **(environ or {})})
    try:
        server.start()
        yield server
        server.empty()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def seconds(argv: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> float:
    """Return how long a command took, which must end with 0."""
    began = time.perf_counter()
    subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.perf_counter() - began


def answering(address: tuple[str, int], app: str, expected: str, *, within: float = 60.0) -> None:
    """Return once `GET /` of the app answers with a body that holds `expected`; asks every 5 ms."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if expected in _body(address, app):
            return
        time.sleep(0.005)
    raise TimeoutError(f"{app} did not answer {expected!r} within {within} s")


def quiet() -> None:
    """Return once the containers that the last measurement stopped are gone, the kernel's part of them too: the next one
    is not to pay for that, whoever they were of."""
    time.sleep(_QUIET)


def push_to_answer(mini: Mini, repository: Repository, files: Mapping[str, str], mark: str) -> float:
    """Return how long it took from `mini push` of these files until the app answers with `mark`."""
    repository.write(files).commit(mark)
    address = mini.http
    began = time.perf_counter()
    repository.push()
    answering(address, repository.path.name, mark)
    return time.perf_counter() - began


def _body(address: tuple[str, int], app: str) -> str:
    connection = HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": f"{app}.localhost"})
        return connection.getresponse().read().decode()
    except (OSError, HTTPException):
        return ""
    finally:
        connection.close()


def pythons() -> str:
    """The interpreter that runs the benchmarks, which is the one that runs mini."""
    return sys.executable or "python3"
