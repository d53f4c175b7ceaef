"""`kill -9` of each plane, while requests and numbered lines flow: apps do not notice."""

from collections.abc import Callable
from functools import partial
from statistics import median

import pytest

from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.faults.killing import end
from tests.faults.lines import assert_each_kept_once
from tests.faults.traffic import Traffic

SETTINGS = {"MINI_STOP_GRACE": "5", "MINI_DRAIN_LIMIT": "2", "MINI_LOG_BUDGET": str(1 << 30)}
KILLS = 3
CLIENTS = 5
INSTANCES = 2


def kill_control_plane(mini: Mini, traffic: Traffic) -> None:
    end(mini.status()["pids"]["control"])
    traffic.flows()


def kill_log_plane(mini: Mini, traffic: Traffic) -> None:
    killed = mini.status()["pids"]["logs"]
    end(killed)
    eventually(lambda: mini.status()["pids"]["logs"] not in (killed, None))
    traffic.flows()


def kill_both(mini: Mini, traffic: Traffic) -> None:
    pids = mini.status()["pids"]
    end(pids["control"])
    end(pids["logs"])
    traffic.flows()


def assert_survives(
    mini: Mini, app: str, strike: Callable[[Mini, Traffic], None], *, times: int
) -> tuple[int, int]:
    """Assert that the app's requests, lines and instances survive; return how many requests and lines that were."""
    mini.ok("scale", f"web={INSTANCES}", "-a", app)
    running = mini.up(app, web=INSTANCES)
    with Traffic(mini.http, app) as traffic:
        for _ in range(times):
            strike(mini, traffic)
            shown = mini.ps(app)  # starts the control plane again, where it is gone
            assert [row["state"] for row in shown] == ["up"] * INSTANCES
            assert mini.named(shown) == running
            assert [row["restarts"] for row in shown] == [0] * INSTANCES
        traffic.flows()
    assert traffic.lost == []
    return traffic.answered, assert_each_kept_once(mini, app, instances=INSTANCES)


@pytest.mark.parametrize("strike", [kill_control_plane, kill_log_plane, kill_both])
def test_apps_serve_and_print_on_while_a_plane_is_killed(
    mini: Mini, chatty: Repository, strike: Callable[[Mini, Traffic], None]
) -> None:
    assert_survives(mini, chatty.name, strike, times=KILLS)


def test_a_killed_router_is_back_by_itself_and_refuses_no_connection(mini: Mini, chatty: Repository) -> None:
    assert_router_comes_back(mini, chatty.name, times=KILLS)


def has_another_router(mini: Mini, killed: int) -> bool:
    return mini.status()["pids"]["router"] not in ([killed], [])


def assert_router_comes_back(mini: Mini, app: str, *, times: int) -> list[float]:
    """Assert that only what a router had under way is lost with it; return the longest silence of each time."""
    silences = []
    mini.ok("scale", f"web={INSTANCES}", "-a", app)
    running = mini.up(app, web=INSTANCES)
    with Traffic(mini.http, app) as traffic:
        for _ in range(times):
            (killed,) = mini.status()["pids"]["router"]
            traffic.longest_silence()
            end(killed)
            eventually(partial(has_another_router, mini, killed))
            traffic.flows()
            silences.append(traffic.longest_silence())
    assert traffic.refused == 0
    assert len(traffic.lost) <= times * CLIENTS
    assert mini.running(app) == running
    assert_each_kept_once(mini, app, instances=INSTANCES)
    return silences


def test_a_router_killed_without_a_control_plane_is_back_with_the_next_command(
    mini: Mini, chatty: Repository
) -> None:
    running, planes = mini.running(chatty.name), mini.status()["pids"]
    end(planes["control"])
    end(planes["router"][0])
    assert mini.named(mini.ps(chatty.name)) == running
    assert mini.get(chatty.name).split()[:2] == ["web.1", "v1"]


def test_all_planes_killed_at_once_leave_the_apps_running(mini: Mini, chatty: Repository) -> None:
    running, planes = mini.running(chatty.name), mini.status()["pids"]
    for pid in (planes["control"], planes["logs"], *planes["router"]):
        end(pid)
    assert all(each.is_alive() for each in running.values())
    assert mini.named(mini.ps(chatty.name)) == running
    assert mini.get(chatty.name).split()[:2] == ["web.1", "v1"]
    assert_each_kept_once(mini, chatty.name, instances=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("strike", [kill_control_plane, kill_log_plane, kill_both])
def test_apps_survive_a_hundred_kills(
    mini: Mini, chatty: Repository, strike: Callable[[Mini, Traffic], None]
) -> None:
    requests, lines = assert_survives(mini, chatty.name, strike, times=100)
    print(f"100 x {strike.__name__}: {requests} requests and {lines} lines, none lost")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_router_comes_back_a_hundred_times(mini: Mini, chatty: Repository) -> None:
    silences = assert_router_comes_back(mini, chatty.name, times=100)
    assert median(silences) < 1.0
    print(f"100 kills of the router: silent for {median(silences):.2f} s, at most {max(silences):.2f} s")
