"""A one-line change by `mini push` beside the same by `docker-compose up -d --build`: of the first examples of frameworks,
and of the app that docker-compose waits least for."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.images import CLOSES_AT_ONCE, STARTERS, App
from bench.row import Row
from bench.stage import Mini, Repository, answering, push_to_answer, quiet, stage

ROUNDS = 7
SLOW_ROUNDS = 3
"""Of those for which docker-compose takes more than 10 s each time."""
GOAL = 0.5
PORT = 5000
PUBLISHED = 18_632

_FILE = f"""
services:
  web:
    build: .
    environment: {{PORT: "{PORT}"}}
    ports: ["127.0.0.1:{PUBLISHED}:{PORT}"]
"""


def rows() -> Iterator[Row]:
    """Yield a row for each app; rounds are interleaved."""
    with stage({"MINI_ENGINE": "docker"}) as mini:
        for app in STARTERS:
            yield _change(mini, app, rounds=SLOW_ROUNDS)
        yield _change(mini, CLOSES_AT_ONCE, rounds=ROUNDS)


def _change(mini: Mini, app: App, *, rounds: int) -> Row:
    ours, theirs = [], []
    folder = Path(tempfile.mkdtemp(prefix=f"{app.name}.", dir=mini.home.parent))
    repository = Repository(mini, mini.home.parent / app.name)
    (folder / "docker-compose.yml").write_text(_FILE)
    first, *others = (f"{folder.name}-{number}" for number in range(rounds + 1))
    try:
        push_to_answer(mini, repository, app.files(first), first)
        _compose(folder, app, first)
        for mark in others:
            quiet()
            ours.append(push_to_answer(mini, repository, app.files(mark), mark))
            quiet()
            theirs.append(_compose(folder, app, mark))
    finally:
        _run("docker-compose", "down", "--rmi", "local", cwd=folder)
    what = f"one-line change of {app.name}, push to answer"
    return Row(what, "docker-compose up -d --build", "s", ours, theirs, GOAL)


def _compose(folder: Path, app: App, mark: str) -> float:
    for name, text in app.files(mark).items():
        (folder / name).write_text(text)
    began = time.perf_counter()
    _run("docker-compose", "up", "-d", "--build", cwd=folder)
    answering(("127.0.0.1", PUBLISHED), app.name, mark)
    return time.perf_counter() - began


def _run(*argv: str, cwd: Path) -> None:
    subprocess.run(argv, cwd=cwd, capture_output=True, check=True)
