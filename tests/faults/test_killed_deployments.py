"""`kill -9` of the control plane in the middle of a deployment: what was half done is undone, what was done stays."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.e2e import apps
from tests.e2e.census import assert_no_orphans
from tests.e2e.engines import Running
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.faults.killing import end
from tests.needs import needs

SETTINGS = {"MINI_STOP_GRACE": "3", "MINI_DRAIN_LIMIT": "2", "MINI_BOOT_LIMIT": "30"}

NEVER_LISTENS = "import time\nwhile True: time.sleep(60)\n"
SLOW_BUILD = '{"name": "slow", "private": true, "scripts": {"build": "sleep 100"}}'

needs_npm = needs("npm: a build that takes long is a node build", lambda: shutil.which("npm"))


@pytest.fixture(scope="module")
def shop(mini: Mini, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """An app that serves, with a web and a worker process."""
    pushed = Repository(mini, tmp_path_factory.mktemp("repositories") / "shop")
    pushed.write(apps.web_and_worker()).create()
    mini.ok("scale", "worker=1", "-a", "shop")
    return pushed


@pytest.fixture(scope="module", autouse=True)
def strays(mini: Mini, shop: Repository) -> Iterator[None]:
    """What a killed control plane built and did not come to record stays for an hour: too long for a test."""
    yield
    recorded = {row["artifact"] for row in mini.api("/v1/apps/shop/builds?limit=1000")}
    for stray in mini.artifacts() - recorded:
        mini.engine.lose(mini.home, stray)


def newest(mini: Mini) -> dict[str, object]:
    found: dict[str, object] = mini.api("/v1/apps/shop/deployments")[0]
    return found


def is_at(mini: Mini, state: str, *, after: object) -> bool:
    deployment = newest(mini)
    return deployment["id"] != after and deployment["state"] == state


def kill_at(mini: Mini, shop: Repository, state: str) -> subprocess.Popen[str]:
    """Push, and kill the control plane as soon as the deployment is in that state; return the push."""
    before, control = newest(mini)["id"], mini.status()["pids"]["control"]
    push = mini.started("mini", "push", cwd=shop.path)
    eventually(lambda: is_at(mini, state, after=before), within=20)
    end(control)
    return push


def assert_push_says_so(push: subprocess.Popen[str]) -> None:
    out, err = push.communicate(timeout=20)
    assert push.returncode == 13, (push.returncode, out, err)
    assert "The control plane was restarted; nothing was changed" in err


@pytest.mark.parametrize(
    ("state", "files", "numbered"),
    [
        pytest.param("building", {"package.json": SLOW_BUILD}, 0, id="build", marks=needs_npm),
        pytest.param("releasing", apps.web_and_worker(release="sleep 100"), 1, id="release phase"),
        pytest.param("starting", {"web.py": NEVER_LISTENS}, 1, id="starting"),
    ],
)
def test_a_deployment_is_undone_when_the_control_plane_dies_before_the_switch(
    mini: Mini, shop: Repository, state: str, files: dict[str, str], numbered: int
) -> None:
    before, http = mini.snapshot("shop"), mini.http
    shop.write(files).commit(f"Die while {state}")
    push = kill_at(mini, shop, state)
    assert mini.request("shop", address=http).text.startswith("one web.1 ")
    shown = mini.ps("shop")  # starts the control plane again
    assert_push_says_so(push)
    assert mini.named(row for row in shown if row["state"] == "up") == before.running
    assert newest(mini)["state"] == "failed"
    assert "restarted" in str(newest(mini)["reason"])
    after = mini.snapshot("shop")
    assert after.current == before.current
    assert after.releases == tuple(range(len(before.releases) + numbered, 0, -1))
    assert_no_orphans(mini)

    next_one = len(after.releases) + 1
    (shop.path / "package.json").unlink(missing_ok=True)
    shop.write(apps.web_and_worker(f"after-{state}")).commit("Go on")
    assert shop.push().split()[0] == f"v{next_one}"
    assert mini.get("shop").startswith(f"after-{state} web.1 v{next_one} ")
    shop.write(apps.web_and_worker()).commit("Back to one")
    shop.push()
    mini.up("shop", web=1, worker=1)
    assert_no_orphans(mini)


def test_a_deployment_is_finished_when_the_control_plane_dies_after_the_switch(
    mini: Mini, shop: Repository
) -> None:
    before = mini.snapshot("shop")
    version = len(before.releases) + 1
    shop.write(apps.web_and_worker("switched")).commit("Switch, then die")
    control = mini.status()["pids"]["control"]
    push = mini.started("mini", "push", cwd=shop.path)
    eventually(lambda: mini.serving("shop") == version, within=20)
    end(control)
    mini.ps("shop")  # starts the control plane again
    push.communicate(timeout=20)
    assert push.returncode == 0
    assert mini.serving("shop") == version
    assert newest(mini)["state"] == "succeeded"
    eventually(lambda: mini.get("shop").startswith(f"switched web.1 v{version} "))
    after = mini.up("shop", web=1, worker=1)
    assert not after.items() & before.running.items()
    eventually(lambda: not any(each.is_alive() for each in before.running.values()))
    assert_no_orphans(mini)


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4, 0.7, 1.0])
def test_whenever_the_control_plane_dies_a_push_is_whole_or_not_there(
    mini: Mini, shop: Repository, delay: float
) -> None:
    assert_whole_or_not_there(mini, shop, mark=f"try-{delay}", delay=delay)


def assert_whole_or_not_there(mini: Mini, shop: Repository, *, mark: str, delay: float) -> None:
    """Push, kill the control plane `delay` seconds later, and assert that either release serves, all of it."""
    before = mini.snapshot("shop")
    shop.write(apps.web_and_worker(mark)).commit(mark)
    control = mini.status()["pids"]["control"]
    push = mini.started("mini", "push", cwd=shop.path)
    with suppress(subprocess.TimeoutExpired):
        push.wait(timeout=delay)
    end(control)
    mini.ps("shop")  # starts the control plane again
    out, err = push.communicate(timeout=30)
    assert push.returncode in (0, 2, 6, 13), (push.returncode, out, err)
    assert "Traceback" not in err
    serving = mini.serving("shop")
    after = eventually(lambda: settled(mini, serving), within=20)
    assert serving in (before.current, before.releases[0] + 1)
    if serving == before.current:
        assert after == before.running
    versions = mini.snapshot("shop").releases
    assert versions[0] in (before.releases[0], before.releases[0] + 1)
    assert versions == tuple(range(versions[0], versions[0] - len(versions), -1))
    assert mini.get("shop").split()[2] == f"v{serving}"
    assert_no_orphans(mini)


def settled(mini: Mini, serving: int | None) -> dict[str, Running]:
    """Return all instances once one web and one worker of that release are all there is."""
    rows = mini.instances("shop")
    assert sorted((row["name"], row["state"], row["release"]) for row in rows) == [
        ("web.1", "up", serving),
        ("worker.1", "up", serving),
    ], rows
    return mini.named(rows)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_pushes_die_at_a_hundred_moments(mini: Mini, shop: Repository) -> None:
    for number in range(100):
        assert_whole_or_not_there(mini, shop, mark=f"moment-{number}", delay=number * 0.015)
    print(f"100 pushes killed: {mini.snapshot('shop').releases[0]} releases, all whole or not there")
