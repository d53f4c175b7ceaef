"""Deployments in containers under load: no request is lost, and nothing is left of them in Docker."""

from collections.abc import Callable
from secrets import token_hex

import pytest

from tests.dockerd import PYTHON, docker
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.faults import talker
from tests.faults.test_deployments_under_load import assert_nothing_is_lost

pytestmark = pytest.mark.only("docker", why="what may be left of a deployment is looked for in Docker")

KEPT = 2
SETTINGS = {
    "MINI_KEEP_ARTIFACTS": str(KEPT),
    "MINI_STOP_GRACE": "5",
    "MINI_DRAIN_LIMIT": "1",
}
MARK = f"mini.test.mark={token_hex(8)}"
DOCKERFILE = f"FROM {PYTHON}\nLABEL {MARK}\nVOLUME /scratch\nCOPY . /\n"
"""The mark is on every layer that is built, the ones without a name included."""


@pytest.fixture
def chatty(repository: Callable[[str], Repository]) -> Repository:
    return repository("chatty").write(talker.files(Dockerfile=DOCKERFILE)).create()


def assert_nothing_is_lost_or_left(
    mini: Mini, chatty: Repository, *, deployments: int, builds_every: int
) -> tuple[int, int]:
    """Deploy under load, then destroy the app; Docker holds what is to be kept, and then what it held before."""
    home = mini.home_id
    made = volumes(*containers())
    answered = assert_nothing_is_lost(mini, chatty, deployments=deployments, builds_every=builds_every)
    eventually(lambda: len(containers()) == 2, within=30)
    eventually(lambda: len(tags(home)) == KEPT, within=30)
    made |= volumes(*containers())
    assert len(networks(home)) == 1
    mini.ok("destroy", "--confirm", "chatty", "-a", "chatty")
    eventually(lambda: not containers() and not networks(home), within=30)
    mini.ok("gc")
    assert tags(home) == docker("image", "ls", "-aq", "--filter", f"label={MARK}").split() == []
    assert made
    assert not made & set(docker("volume", "ls", "-q").split())
    return answered


def containers() -> list[str]:
    return docker("ps", "-aq", "--filter", f"label={MARK}").split()


def networks(home: str) -> list[str]:
    return docker("network", "ls", "-q", "--filter", f"label=mini.home={home}").split()


def tags(home: str) -> list[str]:
    return docker("image", "ls", "-q", f"mini/{home}/*").split()


def volumes(*containers: str) -> set[str]:
    """Return the volumes of these containers: those of the machine are other tests' too."""
    return set(docker("inspect", "-f", "{{range .Mounts}}{{println .Name}}{{end}}", *containers).split())


def test_deployments_in_containers_lose_no_request_and_leave_nothing(mini: Mini, chatty: Repository) -> None:
    assert_nothing_is_lost_or_left(mini, chatty, deployments=6, builds_every=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_deployments_in_containers_lose_nothing_and_leave_nothing(
    mini: Mini, chatty: Repository
) -> None:
    requests, messages = assert_nothing_is_lost_or_left(mini, chatty, deployments=100, builds_every=4)
    print(f"100 deployments: {requests} requests and {messages} messages, none lost; nothing left")
