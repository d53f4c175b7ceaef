"""Containers by mini beside Docker by hand: a start beside `docker run`, and how they are reached: by their address beside
by a published port."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.images import CLOSES_AT_ONCE, STARTERS, App
from bench.row import Row
from bench.stage import Mini, Repository, answering, push_to_answer, quiet, stage
from tests.dockerd import docker

ROUNDS = 15
RATE_ROUNDS = 3
PORT = 5000
PUBLISHED = 18_631
_PUBLISHED = ("127.0.0.1", PUBLISHED)
START_GOAL = 1.2


def rows() -> Iterator[Row]:
    """Yield a row for each comparison; rounds are interleaved."""
    with stage({"MINI_ENGINE": "docker"}) as mini:
        for app in (*STARTERS, CLOSES_AT_ONCE):
            yield _start(mini, app)
        yield _reach(_image(CLOSES_AT_ONCE))


def _start(mini: Mini, app: App) -> Row:
    ours, theirs = [], []
    push_to_answer(mini, Repository(mini, mini.home.parent / app.name), app.files(app.name), app.name)
    with _network() as (network, address):
        for _ in range(ROUNDS):
            quiet()
            theirs.append(_run_plainly(app, (address, PORT), "--network", network, "--ip", address))
            quiet()
            ours.append(_scale(mini, app))
    what = f"scale web+1 of {app.name} to up"
    return Row(what, "docker run -d until it answers", "s", ours, theirs, START_GOAL)


def _scale(mini: Mini, app: App) -> float:
    """Return how long it takes until the command has seen the new instance listen and be routed to."""
    began = time.perf_counter()
    mini.ok("scale", "web+1", "-a", app.name)
    took = time.perf_counter() - began
    mini.up(app.name, web=2)
    mini.ok("scale", "web=1", "-a", app.name)
    return took


def _run_plainly(app: App, address: tuple[str, int], *options: str) -> float:
    image = _image(app)
    began = time.perf_counter()
    container = docker("run", "-d", *options, "-e", f"PORT={PORT}", image)
    answering(address, app.name, app.name)
    took = time.perf_counter() - began
    docker("rm", "-f", container)
    return took


@contextmanager
def _network() -> Iterator[tuple[str, str]]:
    """Yield a network such as an app has, and an address in it."""
    docker("network", "create", "--subnet", "10.255.252.0/24", "mini-bench")
    try:
        yield "mini-bench", "10.255.252.9"
    finally:
        docker("network", "rm", "mini-bench")


def _reach(image: str) -> Row:
    container = docker("run", "-d", "-p", f"127.0.0.1:{PUBLISHED}:{PORT}", "-e", f"PORT={PORT}", image)
    try:
        answering(_PUBLISHED, "", CLOSES_AT_ONCE.name)
        inside = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container)
        ours, theirs = [], []
        for _ in range(RATE_ROUNDS):
            ours.append(_rate(f"http://{inside}:{PORT}/"))
            theirs.append(_rate(f"http://127.0.0.1:{PUBLISHED}/"))
    finally:
        docker("rm", "-f", container)
    return Row(
        "a container by its address", "by a published port", "requests/s", ours, theirs, more_is_better=True
    )


def _rate(url: str) -> float:
    said = _run("wrk", "-t1", "-c16", "-d3", url)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    return float(found[1])


def _image(app: App) -> str:
    """Return the image that an app's instances run."""
    container = docker("ps", "-q", "--filter", f"label=mini.app-name={app.name}").split()[0]
    return docker("inspect", "-f", "{{.Image}}", container)


def _run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
