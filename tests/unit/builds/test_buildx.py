"""`docker buildx` as a value, and played by a script that writes down what it was asked."""

import asyncio
import os
from pathlib import Path

import pytest

from builds.buildx import Buildx, build_argv
from builds.context import Context
from builds.daemon import ImageRequest
from builds.git import Git
from builds.source import Source
from paas.errors import BuildFailedError
from tests.e2e.machine import alive
from tests.eventually import eventually_async
from tests.unit.builds.repos import Server, WorkTree

pytestmark = pytest.mark.anyio

REQUEST = ImageRequest(
    tag="mini/home/app:1",
    dockerfile=".mini.dockerfile",
    arguments={"HTTPS_PROXY": "http://me:secret@proxy", "ALL_PROXY": "x"},
    cached=True,
    limit=60,
)
INSPECT = "Name:   default\nDriver: docker\n"


class Played:
    """A `docker` in front of all others, which does what `script` says once it has written its arguments down."""

    def __init__(self, folder: Path, script: str) -> None:
        folder.mkdir()
        self._asked = folder / "asked"
        command = folder / "docker"
        command.write_text(f'#!/bin/sh\necho "$@" >> {self._asked}\n{script}\n')
        command.chmod(0o755)
        self.environ = {"PATH": f"{folder}:{os.environ['PATH']}"}

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines()


def buildx(tmp_path: Path, script: str) -> tuple[Buildx, Played]:
    played = Played(tmp_path / "bin", script)
    return Buildx(played.environ, scratch=tmp_path / "contexts"), played


def test_the_values_of_arguments_are_no_part_of_the_command() -> None:
    assert build_argv(REQUEST, Path("/context")) == (
        *("docker", "buildx", "build", "--builder", "default", "--load", "--progress", "plain"),
        *("--tag", "mini/home/app:1", "--file", "/context/.mini.dockerfile"),
        *("--build-arg", "ALL_PROXY", "--build-arg", "HTTPS_PROXY"),
        "/context",
    )


@pytest.mark.parametrize(
    ("script", "works", "questions"),
    [
        pytest.param(f"printf '{INSPECT}'", True, 1, id="within the daemon"),
        pytest.param("echo 'Driver: docker-container'", False, 2, id="in a container of its own"),
        pytest.param("echo 'docker: unknown command: docker buildx' >&2; exit 1", False, 2, id="not there"),
    ],
)
async def test_it_is_used_where_it_builds_within_the_daemon_and_asked_until_it_does(
    tmp_path: Path, script: str, works: bool, questions: int
) -> None:
    found, played = buildx(tmp_path, script)
    assert [await found.works(), await found.works()] == [works, works]
    assert played.asked == ["buildx inspect default"] * questions


async def test_without_a_docker_command_it_is_not_used(tmp_path: Path) -> None:
    assert not await Buildx({"PATH": str(tmp_path)}, scratch=tmp_path / "contexts").works()


async def test_a_command_that_has_gone_is_asked_for_again(
    tmp_path: Path, server: Server, work: WorkTree
) -> None:
    Played(tmp_path / "bin", f"printf '{INSPECT}'")
    found = Buildx({"PATH": str(tmp_path / "bin")}, scratch=tmp_path / "contexts")
    assert await found.works()
    (tmp_path / "bin" / "docker").unlink()
    commit = work.commit({"a": "1"})
    server.take(work)
    with Source(Git(server.bare), commit) as source, pytest.raises(OSError, match="docker"):
        await found.build(REQUEST, Context("FROM x\n"), source, modified=0, say=print)
    assert not await found.works()


async def test_it_gets_the_commits_files_in_a_folder_and_nothing_stays(
    tmp_path: Path, server: Server, work: WorkTree
) -> None:
    found, _ = buildx(
        tmp_path,
        "cd $(eval echo \\${$#}); find . | sort | sed 's/^/#9 [1\\/1] RUN x\\n#9 0.1 /'; echo '#9 0.2' $ALL_PROXY",
    )
    (work.path / "link").symlink_to("/etc/anything")
    commit = work.commit({"sub/a": "1", "skipped": "", ".dockerignore": "skipped\n"})
    server.take(work)
    lines: list[str] = []
    with Source(Git(server.bare), commit) as source:
        await found.build(REQUEST, Context("FROM x\n"), source, modified=1_800_000_000, say=lines.append)
    expected = [".", "./.dockerignore", "./.mini.dockerfile", "./link", "./sub", "./sub/a", "x"]
    assert [line for line in lines if not line.startswith("Step")] == expected
    assert list((tmp_path / "contexts").iterdir()) == []


async def test_a_failure_is_told_and_a_cancelled_build_is_ended(
    tmp_path: Path, server: Server, work: WorkTree
) -> None:
    commit = work.commit({"a": "1"})
    server.take(work)
    with Source(Git(server.bare), commit) as source:
        failing, _ = buildx(tmp_path, "echo 'ERROR: failed to solve: because' >&2; exit 1")
        with pytest.raises(BuildFailedError, match="cannot be built: because"):
            await failing.build(REQUEST, Context("FROM x\n"), source, modified=0, say=print)
        pid = tmp_path / "pid"
        (tmp_path / "bin" / "docker").write_text(
            f"#!/bin/sh\necho $$ > {pid}.new; mv {pid}.new {pid}; sleep 1000\n"
        )
        task = asyncio.create_task(failing.build(REQUEST, Context("FROM x\n"), source, modified=0, say=print))

        async def has_begun() -> bool:
            return pid.exists()

        await eventually_async(has_begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not alive(int(pid.read_text()))
    assert list((tmp_path / "contexts").iterdir()) == []
