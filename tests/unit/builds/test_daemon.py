"""What is asked of Docker beside a build, and how long it may take."""

import threading
from pathlib import Path

import pytest

from builds import daemon
from builds.daemon import Daemon
from builds.line import Line
from paas.errors import DiskFullError
from tests.unit.builds.fake_docker import fake_docker

RECORDS = {"BuildCache": [{"Size": 5, "Shared": False}, {"Size": 7, "Shared": True}]}


def slow() -> object:
    """Answer later than a question may be answered."""
    threading.Event().wait(1.5)
    return {"SpaceReclaimed": 9}


@pytest.mark.parametrize(
    ("api", "asked"),
    [
        pytest.param("1.42", "/v1.42/system/df?type=build-cache", id="alone where it can be"),
        pytest.param("1.41", "/v1.41/system/df", id="with all the rest before"),
    ],
)
def test_the_cache_is_measured(tmp_path: Path, api: str, asked: str) -> None:
    with fake_docker(tmp_path, {"/system/df": lambda: RECORDS}, api=api) as docker:
        assert Daemon(docker.environ).cached() == 5
        assert docker.asked[-1] == asked


def test_removing_may_take_longer_than_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_ASK_LIMIT", 1)
    with fake_docker(tmp_path, {"/build/prune": slow, "/images/old:1": slow}) as docker:
        assert Daemon(docker.environ).trim(0) == 9
        assert Daemon(docker.environ).remove("old:1")


def test_a_disk_that_a_base_image_fills_is_not_taken_for_a_missing_image(tmp_path: Path) -> None:
    said = {"error": "failed to register layer: write /usr/lib/x: no space left on device"}
    with (
        fake_docker(tmp_path, {"/images/create": lambda: said}) as docker,
        pytest.raises(DiskFullError, match=r"Docker's images is full.*docker system df"),
    ):
        list(Daemon(docker.environ).pull("python:3.12", line=Line()))
