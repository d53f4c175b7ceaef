"""Deployments under requests that wait for nobody, beside a WebSocket and an event stream; the same while the control
plane is killed again and again; and the same load on nginx, which shows that it finds what is lost.
"""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.e2e.census import assert_no_orphans
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.faults.killing import end
from tests.faults.nginx import an_nginx
from tests.faults.open_loop import OpenLoop
from tests.faults.replica import Replica
from tests.faults.test_deployments_under_load import LongLived
from tests.faults.test_killed_replicas import two_ports
from tests.needs import needs

SETTINGS = {"MINI_STOP_GRACE": "5", "MINI_DRAIN_LIMIT": "1"}
KILL_EVERY = {"process": 5.0, "docker": 10.0}
"""Seconds, more than a deployment takes on a busy machine: else none would ever end."""
NOTHING = nullcontext()

Switched = list[tuple[float, int]]
"""When each deployment had ended, and the version that served then."""


@contextmanager
def long_lived(mini: Mini) -> Iterator[list[LongLived]]:
    """Keep a WebSocket and an event stream open; nothing may end them but the end of a drain."""
    talking, listening = LongLived(mini.http), LongLived(mini.http)
    stop = threading.Event()
    threads = [threading.Thread(target=run, args=(stop,)) for run in (talking.talk, listening.listen)]
    for thread in threads:
        thread.start()
    try:
        yield [talking, listening]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def deploy(mini: Mini, number: int) -> int:
    """Deploy a change of the config, again where the control plane died over it; return the version that serves."""
    for attempt in range(5):
        if mini.run("config", "set", f"ROUND={number}.{attempt}", "-a", "chatty").code == 0:
            return eventually(lambda: _serving(mini), within=60)
        eventually(lambda: _serving(mini), within=60)
    raise AssertionError(f"deployment {number} failed five times")


def _serving(mini: Mini) -> int:
    """Return the version that serves; 0 where the control plane was killed over it: the next call starts it again."""
    said = mini.run("info", "-a", "chatty", "--json")
    return int(json.loads(said.out)["release"]) if said.code == 0 else 0


def deploy_under_load(
    mini: Mini, *, deployments: int, rate: int, meanwhile: AbstractContextManager[object] = NOTHING
) -> str:
    """Deploy so often and assert that no request is lost, nor answered by a release that was replaced; say how many."""
    mini.ok("scale", "web=2", "-a", "chatty")
    mini.up("chatty", web=2)
    switched: Switched = []
    with long_lived(mini) as lasting, OpenLoop(mini.http, "chatty.localhost", rate=rate) as load:
        with meanwhile:
            for number in range(deployments):
                version = deploy(mini, number)
                switched.append((time.monotonic(), version))
        load.flows(rate)
    assert load.lost == []
    assert_released_in_order(load, switched)
    assert [each.faults for each in lasting] == [[], []]
    mini.ok("ps", "-a", "chatty")  # starts the control plane, where it was killed last
    assert_no_orphans(mini)
    posts = sum(each.method == "POST" for each in load.outcomes)
    messages = sum(each.messages for each in lasting)
    return f"{deployments} deployments: {len(load.outcomes)} requests ({posts} POSTs), {messages} messages, none lost"


def assert_released_in_order(load: OpenLoop, switched: Switched) -> None:
    """Assert that what was asked after a deployment had ended was answered by its release, or a later one."""
    waiting = list(switched)
    least = 0
    for each in sorted(load.outcomes, key=lambda outcome: outcome.began):
        while waiting and waiting[0][0] < each.began:
            least = waiting.pop(0)[1]
        version = int(each.body.split()[1].removeprefix(b"v"))
        assert version >= least, (each, least)


@contextmanager
def kills_of_the_control_plane(mini: Mini, killed: list[int]) -> Iterator[None]:
    """Kill it every few seconds, where it runs, and once before the end; `killed` gets the pids."""
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(KILL_EVERY[mini.engine.name]):
            try:
                pid = mini.api("/v1/server")["pids"]["control"]
            except (OSError, AssertionError):
                continue  # It is not back yet.
            end(pid)
            killed.append(pid)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        yield
        eventually(lambda: killed, within=2 * KILL_EVERY[mini.engine.name])
    finally:
        ended.set()
        killing.join()


def test_five_deployments_under_an_open_loop_lose_nothing(mini: Mini, chatty: Repository) -> None:
    deploy_under_load(mini, deployments=5, rate=100)


def test_deployments_while_the_control_plane_is_killed_lose_nothing(mini: Mini, chatty: Repository) -> None:
    killed: list[int] = []
    deploy_under_load(mini, deployments=5, rate=100, meanwhile=kills_of_the_control_plane(mini, killed))
    assert killed


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_hundred_deployments_under_an_open_loop_lose_nothing(mini: Mini, chatty: Repository) -> None:
    print(deploy_under_load(mini, deployments=100, rate=500))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_hundred_deployments_while_the_control_plane_is_killed(mini: Mini, chatty: Repository) -> None:
    killed: list[int] = []
    meanwhile = kills_of_the_control_plane(mini, killed)
    said = deploy_under_load(mini, deployments=100, rate=500, meanwhile=meanwhile)
    print(f"{len(killed)} x kill -9 of the control plane, {said}")


@pytest.mark.soak
@pytest.mark.timeout(1800)
@needs("nginx", lambda: shutil.which("nginx"))
def test_the_same_load_finds_what_nginx_loses_at_a_reload(tmp_path: Path) -> None:
    # Less than the router gets: a single backend of this kind takes no more.
    lost, requests = nginx_under_load(tmp_path, switches=100, rate=200)
    assert lost, "the load would prove nothing"
    print(f"100 reloads of nginx: {lost} of {requests} requests lost")


def nginx_under_load(folder: Path, *, switches: int, rate: int) -> tuple[int, int]:
    """Switch nginx between two backends so often, both up all the time; return what was lost of how many requests."""
    port, *_ = two_ports()
    replicas = [Replica(at, "app", ledger=folder / "ledger") for at in two_ports()]
    for replica in replicas:
        replica.start()
    try:
        with (
            an_nginx(folder, port=port, upstream=replicas[0].address) as nginx,
            OpenLoop(("127.0.0.1", port), "any", rate=rate) as load,
        ):
            for number in range(switches):
                nginx.switch(replicas[(number + 1) % 2].address)
                load.flows(rate // 2)
    finally:
        for replica in replicas:
            replica.kill()
    return len(load.lost), len(load.outcomes)
