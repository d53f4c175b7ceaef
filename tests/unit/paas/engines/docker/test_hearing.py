"""When a signal to a container's init reaches its command, shown on processes of this machine in the same relation."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paas.engines.docker.hearing import hears
from paas.engines.docker.spec import LEADER_NAME
from tests.eventually import eventually

INIT = ["timeout", "60"]
"""Runs one child and passes signals on, as an init does."""


@contextmanager
def running(*argv: str) -> Iterator[int]:
    with subprocess.Popen(argv, start_new_session=True) as process:
        yield process.pid
        process.kill()


def test_an_init_without_a_child_does_not_hear_yet() -> None:
    with running("sleep", "60") as init:
        assert not hears(init)


def test_an_init_hears_once_its_child_runs_the_images_own_command() -> None:
    with running(*INIT, "sleep", "60") as init:
        eventually(lambda: hears(init))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("read forever", False, id="before"),
        pytest.param("sleep 60; exit", True, id="after"),
    ],
)
def test_a_leader_hears_for_a_command_that_it_has_begun(script: str, expected: bool) -> None:
    with running(*INIT, "sh", "-c", f"echo; {script}", LEADER_NAME) as init:
        eventually(lambda: hears(init) is expected)


def test_what_has_ended_is_not_waited_for() -> None:
    with running("true") as init:
        pass
    assert hears(init)
