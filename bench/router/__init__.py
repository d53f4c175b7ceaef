"""The router beside HAProxy, nginx and Caddy: CPU per request first, then requests a second and the slowest percent."""

import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.router.contenders import ALL, Running, available, quick_backend, uvicorn_backend
from bench.router.load import Load, Sample, measure
from bench.row import Row

ROUNDS = 5
QUIET = 0.05
"""The most that others may use of the machine in a round that counts …"""
TRIES = 3
"""… unless it is the last of so many."""

SMALL = {"haproxy": 1.0, "nginx": 1.1, "caddy": 0.4}
UNGRADED: dict[str, float | None] = {"haproxy": None, "nginx": None, "caddy": None}


@dataclass(frozen=True, slots=True)
class Scene:
    """One kind of traffic. `goals` are ratios of CPU per request; `rate` and `p99` are goals beside HAProxy."""

    name: str
    load: Load
    goals: dict[str, float] | dict[str, float | None] = field(default_factory=lambda: UNGRADED)
    rate: float | None = None
    p99: float | None = None
    backend: Callable[[Path], AbstractContextManager[Running]] = quick_backend
    idle: int = 0
    """Connections that are open meanwhile, and silent."""


SCENES = (
    Scene("small, 64 connections", Load(), SMALL),
    Scene("small, 1 connection", Load(connections=1), SMALL),
    Scene("small, 512 connections", Load(connections=512), SMALL, p99=1.0),
    Scene("another path and answer each time", Load(script="fresh.lua")),
    Scene("13 browser fields, nothing repeated", Load(script="browser.lua"), {"haproxy": 1.25}),
    Scene("1 MiB bodies", Load(connections=16, path="/big"), rate=1.1),
    Scene("uvicorn", Load(), backend=uvicorn_backend),
    Scene("a new connection each time", Load(script="closing.lua", seconds=1)),
    Scene("1 000 idle connections beside 64", Load(), SMALL, idle=1000),
)


def rows() -> Iterator[Row]:
    """Yield, per kind of traffic: CPU per request beside each contender, requests per second, the slowest percent."""
    for scene in SCENES:
        samples = _samples(scene, available(list(ALL)))
        ours = samples["mini"]
        costs = [sample.cost for sample in ours]
        for name, theirs in samples.items():
            if name != "mini":
                goal = scene.goals.get(name)
                yield Row(f"{scene.name}: CPU", name, "µs", costs, [sample.cost for sample in theirs], goal)
        if "haproxy" in samples:
            yield from _beside_haproxy(scene, ours, samples["haproxy"])


def _beside_haproxy(scene: Scene, ours: Sequence[Sample], theirs: Sequence[Sample]) -> Iterator[Row]:
    yield Row(
        f"{scene.name}: rate",
        "haproxy",
        "requests/s",
        [sample.rate for sample in ours],
        [sample.rate for sample in theirs],
        scene.rate,
        more_is_better=True,
    )
    yield Row(
        f"{scene.name}: p99",
        "haproxy",
        "ms",
        [sample.p99 for sample in ours],
        [sample.p99 for sample in theirs],
        scene.p99,
    )


def _samples(scene: Scene, names: Sequence[str]) -> dict[str, list[Sample]]:
    """Return every contender's samples; they take turns in each round."""
    with ExitStack() as stack:
        folders = {name: Path(stack.enter_context(tempfile.TemporaryDirectory())) for name in (*names, "app")}
        app = stack.enter_context(scene.backend(folders["app"]))
        running = [stack.enter_context(ALL[name](folders[name], app.port)) for name in names]
        for each in running:
            stack.enter_context(_idle(each.port, scene.idle))
        samples: dict[str, list[Sample]] = {name: [] for name in names}
        for each in running:  # its connections to the app are made, and its caches are warm
            measure(scene.load, port=each.port, pid=each.pid, known=[])
        for _ in range(ROUNDS):
            for each in running:
                samples[each.name].append(_quiet_sample(scene.load, each, app))
        return samples


def _quiet_sample(load: Load, contender: Running, app: Running) -> Sample:
    for _ in range(TRIES - 1):
        sample = measure(load, port=contender.port, pid=contender.pid, known=[app.pid])
        if sample.foreign <= QUIET:
            return sample
    return measure(load, port=contender.port, pid=contender.pid, known=[app.pid])


@contextmanager
def _idle(port: int, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield
