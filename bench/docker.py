"""Containers by mini beside Docker by hand: a start beside `docker run`, and how they are reached: by their address beside
by a published port."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.images import CLOSES_AT_ONCE
from bench.row import Row
from bench.stage import Mini, Repository, answering, stage
from tests.dockerd import docker

ROUNDS = 7
RATE_ROUNDS = 3
PORT = 5000
PUBLISHED = 18_631
_PUBLISHED = ("127.0.0.1", PUBLISHED)
START_GOAL = 1.2


def rows() -> Iterator[Row]:
    """Yield a row for each comparison; rounds are interleaved."""
    with stage({"MINI_ENGINE": "docker"}) as mini:
        shop = Repository(mini, mini.home.parent / "shop").write(CLOSES_AT_ONCE.files("shop"))
        shop.commit()
        shop.push()
        yield from _start(mini)
        yield _reach()


def _start(mini: Mini) -> Iterator[Row]:
    ours, isolated, published = [], [], []
    image = docker("inspect", "-f", "{{.Image}}", _containers()[0])
    with _network() as (network, address):
        for _ in range(ROUNDS):
            isolated.append(_run_plainly(image, (address, PORT), "--network", network, "--ip", address))
            ours.append(_scale(mini))
            published.append(_run_plainly(image, _PUBLISHED, "-p", f"127.0.0.1:{PUBLISHED}:{PORT}"))
    what = "scale web+1 to up"
    yield Row(what, "docker run -d in a network of its own", "s", ours, isolated, START_GOAL)
    yield Row(what, "docker run -d -p in the network of all", "s", ours, published, START_GOAL)


def _scale(mini: Mini) -> float:
    """Return how long it takes until the command has seen the new instance listen and be routed to."""
    began = time.perf_counter()
    mini.ok("scale", "web+1", "-a", "shop")
    took = time.perf_counter() - began
    answering(mini.http, "shop", "web.2")
    mini.ok("scale", "web=1", "-a", "shop")
    return took


def _run_plainly(image: str, address: tuple[str, int], *options: str) -> float:
    began = time.perf_counter()
    container = docker("run", "-d", *options, "-e", f"PORT={PORT}", image)
    answering(address, "shop", "None")
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


def _reach() -> Row:
    image = docker("inspect", "-f", "{{.Image}}", _containers()[0])
    container = docker("run", "-d", "-p", f"127.0.0.1:{PUBLISHED}:{PORT}", "-e", f"PORT={PORT}", image)
    try:
        answering(_PUBLISHED, "shop", "None")
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


def _containers() -> list[str]:
    return docker("ps", "-q", "--filter", "label=mini.app-name=shop").split()


def _run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
