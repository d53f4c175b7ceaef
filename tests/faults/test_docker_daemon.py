"""A whole server whose Docker daemon hangs, restarts, is killed and stays away: nothing is dead that was not seen dead,
nothing is started twice, and all goes on by itself once Docker answers. The daemon is one of the test's own."""

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.dockerd import needs_docker
from tests.e2e.engines import Containers
from tests.e2e.harness import Mini, Repository
from tests.e2e.results import Result
from tests.eventually import eventually
from tests.faults import talker
from tests.faults.dockerd import OwnDockerd, needs_own_dockerd
from tests.faults.traffic import Traffic

pytestmark = [needs_docker, needs_own_dockerd]

NAME = "talker"
SECONDS = 30
"""What "within seconds" is on a busy machine: a command that takes longer without Docker waits for it."""
LOST_WITH_A_DAEMON = 2
"""Lines of one container that a daemon has read and not yet written when it ends: nobody else has them. Plain Docker 20.10,
with live-restore, lost 2 in 10 restarts under two containers with a thousand lines a second."""


@pytest.fixture(scope="module")
def dockerd() -> Iterator[OwnDockerd]:
    own = OwnDockerd(Path(tempfile.mkdtemp(prefix="mini-docker-")))
    own.start(live_restore=True)
    own.load()
    yield own
    own.close()


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory, dockerd: OwnDockerd) -> Iterator[Mini]:
    server = Mini(tmp_path_factory.mktemp("mini") / "home", dockerd.environ, Containers())
    server.start()
    yield server
    assert server.stop().code == 0


@pytest.fixture(scope="module")
def shop(mini: Mini, dockerd: OwnDockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """An app with two instances that answer and print numbered lines; at the end it goes without a trace."""
    repository = Repository(mini, tmp_path_factory.mktemp("apps") / NAME).write(talker.files()).create()
    mini.ok("scale", "web=2", "-a", NAME)
    mini.up(NAME, web=2)
    yield repository
    mini.ok("destroy", "-a", NAME, "--confirm", NAME)
    eventually(lambda: not dockerd.docker("ps", "-aq").stdout, within=30)
    assert "mini-" not in dockerd.docker("network", "ls").stdout


def containers(dockerd: OwnDockerd) -> list[str]:
    """Return the ids of all containers of the daemon that run."""
    return sorted(dockerd.docker("ps", "-q").stdout.split())


def states(mini: Mini) -> list[str]:
    return [row["state"] for row in mini.instances(NAME)]


def assert_the_rest_answers(mini: Mini) -> None:
    for command in ("config", "releases", "logs", "events"):
        mini.ok(command, "-a", NAME, limit=SECONDS)


def all_at_once(shop: Repository, *commands: tuple[str, ...]) -> list[Result]:
    """Run several commands in the app's repository; each must end by itself, within seconds."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda argv: shop.mini.run(*argv, cwd=shop.path, limit=SECONDS), commands))


def assert_each_says_what_is_wrong(shop: Repository, *more: tuple[str, ...]) -> None:
    """What needs Docker must say that it does not answer, and what to do, instead of waiting for it."""
    shop.write({"news.txt": os.urandom(8).hex()}).commit()
    for result in all_at_once(shop, ("push",), ("config", "set", "A=1"), ("run", "true"), *more):
        assert result.code, result
        assert "Docker does not answer" in result.err, result
        assert "Start " in result.err, result


def kept(mini: Mini) -> dict[str, list[int]]:
    """Return the numbers of the lines that are kept of each instance that ever ran, in order."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for line in mini.ok("logs", "-n", "100000", "-s", "app", "-a", NAME).splitlines():
        if found := re.search(r"line ([0-9a-f]+) (\d+)$", line):
            numbers[found[1]].append(int(found[2]))
    return numbers


def assert_no_line_lost_or_doubled(mini: Mini, *, instances: int, ends: int = 0) -> None:
    """Assert that the lines of each instance are whole and in order, but for what dies with a daemon that `ends`."""
    logs = kept(mini)
    assert len(logs) == instances, list(logs)
    for who, numbers in logs.items():
        assert numbers == sorted(set(numbers)), (who, "out of order, or twice")
        assert numbers[-1] - len(numbers) <= ends * LOST_WITH_A_DAEMON, (who, numbers[-1], len(numbers))


def lines_go_on(mini: Mini) -> None:
    """Return once there are new lines of every instance that runs."""
    running = [row["id"] for row in mini.instances(NAME)]
    before = kept(mini)
    eventually(lambda: all(kept(mini)[id][-1] > before[id][-1] for id in running), within=30)


def test_a_daemon_that_hangs_is_called_silent_and_nothing_is_started_twice(
    mini: Mini, dockerd: OwnDockerd, shop: Repository
) -> None:
    before = containers(dockerd)
    with Traffic(mini.http, NAME) as traffic:
        dockerd.hang()
        assert states(mini) == ["unknown", "unknown"]
        listed = mini.run("ps", "-a", NAME, limit=SECONDS)
        assert listed.code == 0
        assert "web.1: unknown" in listed.out
        assert "mini doctor" in listed.err
        for command in (("apps",), ("info", "-a", NAME), ("server", "status")):
            counted = mini.run(*command, limit=SECONDS)
            assert (counted.code, "unknown" in counted.out, "mini doctor" in counted.err) == (
                0,
                True,
                True,
            ), counted
        assert_the_rest_answers(mini)
        assert_each_says_what_is_wrong(shop)
        traffic.flows()
        dockerd.go_on()
        eventually(lambda: states(mini) == ["up", "up"], within=30)
        lines_go_on(mini)
    assert traffic.lost == []
    assert containers(dockerd) == before
    assert_no_line_lost_or_doubled(mini, instances=2)


def test_a_restart_that_leaves_containers_running_is_not_noticed(
    mini: Mini, dockerd: OwnDockerd, shop: Repository
) -> None:
    before = containers(dockerd)
    with Traffic(mini.http, NAME) as traffic:
        dockerd.stop()
        assert states(mini) == ["unknown", "unknown"]
        traffic.flows()
        dockerd.start(live_restore=True)
        eventually(lambda: states(mini) == ["up", "up"], within=30)
        lines_go_on(mini)
    assert traffic.lost == []
    assert containers(dockerd) == before
    assert_no_line_lost_or_doubled(mini, instances=2, ends=1)


def test_instances_that_died_with_a_killed_daemon_are_started_again(
    mini: Mini, dockerd: OwnDockerd, shop: Repository
) -> None:
    before = containers(dockerd)
    dockerd.kill()
    mini.get(NAME)
    dockerd.start()  # it ends what the killed one left running
    eventually(lambda: [row["restarts"] for row in mini.instances(NAME)] == [1, 1], within=30)
    mini.up(NAME, web=2)
    mini.get(NAME)
    assert len(containers(dockerd)) == 2
    assert not set(before) & set(containers(dockerd))
    assert mini.ok("logs", "-n", "100000", "-s", "mini", "-a", NAME).count("from up to crashed") == 2
    lines_go_on(mini)
    assert_no_line_lost_or_doubled(mini, instances=4, ends=2)


def test_while_the_daemon_is_gone_commands_say_so_and_all_recovers_once_it_is_back(
    mini: Mini, dockerd: OwnDockerd, shop: Repository
) -> None:
    if dockerd.live_restores:
        dockerd.stop()
        dockerd.start()
        mini.up(NAME, web=2)
    dockerd.stop()  # its containers end with it
    eventually(lambda: mini.request(NAME).status == 503, within=30)
    assert_the_rest_answers(mini)
    assert_each_says_what_is_wrong(shop, ("scale", "web=3"), ("restart", "web.1"))
    dockerd.start()
    mini.up(NAME, web=3)
    mini.get(NAME)
    assert len(containers(dockerd)) == 3
    shop.push()
    assert mini.get(NAME).split()[1] == f"v{mini.serving(NAME)}"
    mini.up(NAME, web=3)
    eventually(lambda: len(containers(dockerd)) == 3, within=30)
    assert_no_line_lost_or_doubled(mini, instances=len(kept(mini)), ends=4)
