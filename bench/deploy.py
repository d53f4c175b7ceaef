"""How long a change takes to answer: push, scale and rollback, beside the app's own boot and a bare git push."""

import os
import subprocess
import time
from collections.abc import Iterator

from bench.row import Row
from bench.stage import Mini, Repository, answering, push_to_answer, stage, web, web_and_worker

ROUNDS = 7
PUSH_GOAL_SECONDS = 1.5
ALLOWANCE_SECONDS = 0.3


def rows() -> Iterator[Row]:
    """Yield push (web only; web and worker), scale and rollback to the first answer."""
    with stage() as mini:
        boots = [_boot(mini) for _ in range(ROUNDS)]
        allowed = [boot + ALLOWANCE_SECONDS for boot in boots]
        fixed = [PUSH_GOAL_SECONDS] * ROUNDS
        for name, files in (("alone", web), ("pair", web_and_worker)):
            repository = Repository(mini, mini.home.parent / name).write(files("round-0"))
            repository.commit()
            repository.push()
            if name == "pair":
                mini.ok("scale", "worker=1", "-a", name)
            pushes = [
                push_to_answer(mini, repository, files(f"round-{number}"), f"round-{number}")
                for number in range(1, ROUNDS + 1)
            ]
            yield Row(
                f"one-line change, push to answer ({name})", "the goal of 1.5 s", "s", pushes, fixed, 1.0
            )
        yield Row(
            "scale web+1 to up",
            "the app's boot + 0.3 s",
            "s",
            [_scale(mini) for _ in range(ROUNDS)],
            allowed,
            1.0,
        )
        yield Row(
            "rollback to answer",
            "the app's boot + 0.3 s",
            "s",
            [_rollback(mini) for _ in range(ROUNDS)],
            allowed,
            1.0,
        )


def _scale(mini: Mini) -> float:
    mini.ok("scale", "web=1", "-a", "alone")
    began = time.perf_counter()
    mini.ok("scale", "web=2", "-a", "alone")
    return time.perf_counter() - began


def _rollback(mini: Mini) -> float:
    releases = mini.json("releases", "-a", "alone")
    target = releases[0]["version"] - 1
    address = mini.http
    began = time.perf_counter()
    mini.ok("rollback", f"v{target}", "-a", "alone")
    answering(address, "alone", f"v{releases[0]['version'] + 1} ")
    return time.perf_counter() - began


def _boot(mini: Mini) -> float:
    """Return how long the app alone takes from its start to its first answer."""
    folder = mini.home.parent / "boot"
    folder.mkdir(exist_ok=True)
    (folder / "web.py").write_text(web()["web.py"])
    port = 19_000 + int.from_bytes(os.urandom(2), "big") % 900
    environ = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "PS": "web.1", "MINI_RELEASE": "v0"}
    began = time.perf_counter()
    with subprocess.Popen(
        ["python3", "web.py"], cwd=folder, env=environ, stdout=subprocess.DEVNULL
    ) as process:
        answering(("127.0.0.1", port), "boot", "one")
        took = time.perf_counter() - began
        process.terminate()
    return took
