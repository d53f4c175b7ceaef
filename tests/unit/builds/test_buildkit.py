"""The end of a build that waits for a Docker which says nothing."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from builds.buildkit import ImageBuild
from builds.daemon import Daemon, ImageRequest
from builds.line import Line
from builds.protobuf import encode
from paas.errors import EngineUnavailableError, OperationCancelledError
from tests.unit.builds.fake_docker import FakeDocker, fake_docker

REQUEST = ImageRequest("shop:1", labels={}, arguments={}, cached=True, limit=900)


class Silence:
    """An answer that does not come before its end."""

    def __init__(self) -> None:
        self.asked = Event()
        self.over = Event()

    def __call__(self) -> object:
        self.asked.set()
        self.over.wait()
        return {}


@contextmanager
def silent(folder: Path, path: str) -> Iterator[tuple[FakeDocker, Silence, ThreadPoolExecutor]]:
    """A daemon that does not answer at one path, and a thread to wait for it."""
    silence = Silence()
    with fake_docker(folder, {path: silence}) as docker, ThreadPoolExecutor(1) as pool:
        try:
            yield docker, silence, pool
        finally:
            silence.over.set()


def test_a_build_that_docker_has_not_answered_ends_when_it_is_hung_up(tmp_path: Path) -> None:
    with silent(tmp_path, "/build") as (docker, silence, pool):
        build = ImageBuild(Daemon(docker.environ), REQUEST, {}, key="shop", say=print)
        running = pool.submit(build.run)
        assert silence.asked.wait(10)
        build.stop()
        build.hang_up()
        with pytest.raises(OperationCancelledError):
            running.result(timeout=5)


def test_a_build_whose_base_is_pulled_ends_when_it_is_stopped(tmp_path: Path) -> None:
    vertex = encode((1, b"sha256:1"), (3, b"[internal] load metadata for docker.io/library/base:1"))
    looks_up = {
        "id": "moby.buildkit.trace",
        "aux": base64.b64encode(encode((1, vertex))).decode(),
    }
    with silent(tmp_path, "/images/create") as (docker, silence, pool):
        docker.answers |= {"/build": lambda: looks_up, "/images/base:1/json": lambda: None}
        build = ImageBuild(Daemon(docker.environ), REQUEST, {}, key="shop", say=print)
        running = pool.submit(build.run)
        assert silence.asked.wait(10)
        build.stop()
        with pytest.raises(OperationCancelledError):
            running.result(timeout=5)


def test_a_pull_that_says_nothing_ends_with_its_line(tmp_path: Path) -> None:
    line = Line()
    with silent(tmp_path, "/images/create") as (docker, silence, pool):
        pulling = pool.submit(lambda: list(Daemon(docker.environ).pull("python:3.12", line=line)))
        assert silence.asked.wait(10)
        line.hang_up()
        with pytest.raises(EngineUnavailableError):
            pulling.result(timeout=5)


def test_a_build_that_was_stopped_before_it_began_asks_for_no_image(tmp_path: Path) -> None:
    with fake_docker(tmp_path, {}) as docker:
        build = ImageBuild(Daemon(docker.environ), REQUEST, {}, key="shop", say=print)
        build.stop()
        with pytest.raises(OperationCancelledError):
            build.run()
        assert [path for path in docker.asked if "build" in path] == []
