"""Commands at a bad moment: while another one releases, after an artifact went, when a build is cancelled or too slow."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import apps
from tests.e2e.backing import Backing
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually

Make = Callable[[str], Repository]
SETTINGS = {"MINI_BUILD_LIMIT": "6", "MINI_DRAIN_LIMIT": "2"}
GATE = "gate"


@pytest.fixture
def shop(mini: Mini, repository: Make, backing: Backing) -> Iterator[Repository]:
    """An app whose release phase lasts until the gate of the backing service is open, as it is at first."""
    backing.put(GATE)
    files = apps.web_and_worker(release=f"python3 gate.py {backing.url(GATE)}")
    made = repository("shop").write({**files, "gate.py": apps.GATE}).create()
    yield made
    mini.ok("destroy", "-a", "shop", "--confirm", "shop")


@contextmanager
def releasing(mini: Mini, shop: Repository, backing: Backing) -> Iterator["subprocess.Popen[str]"]:
    """A push of a second version that stands in its release phase to the end of the block."""
    backing.remove(GATE)
    shop.write(apps.web("two", Procfile=(shop.path / "Procfile").read_text())).commit()
    push = mini.started("mini", "push", cwd=shop.path)
    try:
        eventually(lambda: any(row["type"] == "release" for row in mini.instances("shop")))
        yield push
    finally:
        backing.put(GATE)
        push.communicate(timeout=60)


def test_while_another_one_releases_a_command_that_will_not_wait_is_exit_5(
    mini: Mini, shop: Repository, backing: Backing
) -> None:
    with releasing(mini, shop, backing):
        mini.run("config", "set", "A=1", "--wait-lock", "0", "-a", "shop").refused(5, "--wait-lock")
    assert mini.serving("shop") == 2


def test_releasing_commands_of_one_app_queue(mini: Mini, shop: Repository, backing: Backing) -> None:
    with releasing(mini, shop, backing) as push:
        queued = mini.started("mini", "config", "set", "A=1", "-a", "shop")
        eventually(lambda: len(mini.api("/v1/apps/shop/deployments?limit=9")) == 3)
    _, err = queued.communicate(timeout=60)
    assert (push.returncode, queued.returncode) == (0, 0), err
    assert mini.get("shop").startswith("two web.1 v3 ")
    assert mini.get("shop", "/env/A") == "1"


def test_ctrl_c_in_the_release_phase_leaves_the_old_release_serving(
    mini: Mini, shop: Repository, backing: Backing
) -> None:
    before = mini.running("shop")
    with releasing(mini, shop, backing) as push:
        os.kill(push.pid, signal.SIGINT)
        _, err = push.communicate(timeout=30)
        assert push.returncode == 130, err
        assert "Traceback" not in err
    assert (mini.serving("shop"), mini.running("shop")) == (1, before)
    assert mini.json("releases", "-a", "shop")[0]["status"] != "succeeded"
    eventually(lambda: not [row for row in mini.instances("shop") if row["one_off"]])
    shop.push()
    assert mini.get("shop").startswith("two ")


def test_a_push_that_the_stop_of_the_server_ends_says_so(
    mini: Mini, shop: Repository, backing: Backing
) -> None:
    with releasing(mini, shop, backing) as push:
        mini.ok("server", "stop")
        _, err = push.communicate(timeout=60)
    assert (push.returncode, "The server was stopped meanwhile; nothing was changed" in err) == (13, True), (
        err
    )
    assert "Traceback" not in (mini.home / "server" / "control.log").read_text()
    mini.ok("server", "start")
    eventually(lambda: mini.get("shop").startswith("one "))


def test_a_build_that_is_cancelled_by_another_ends_its_push_with_13(mini: Mini, shop: Repository) -> None:
    with building(mini, shop) as push:
        build = mini.json("builds", "-a", "shop")[0]["id"]
        mini.ok("builds", "cancel", build, "-a", "shop")
        _, err = push.communicate(timeout=30)
    assert push.returncode == 13, err
    assert "cancelled" in err


def test_a_build_over_its_limit_is_ended_with_13(mini: Mini, shop: Repository) -> None:
    with mini.unchanged("shop"), building(mini, shop) as push:
        _, err = push.communicate(timeout=60)
        assert push.returncode == 13, err
        assert "took longer than 6 s" in err
        assert "MINI_BUILD_LIMIT" in err


@contextmanager
def building(mini: Mini, shop: Repository) -> Iterator["subprocess.Popen[str]"]:
    """A push whose build would take a minute."""
    shop.write(
        {
            "requirements.txt": "-e .\n",
            "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'slow'\nbackend-path = ['.']\n"
            "[project]\nname = 'slow'\nversion = '1'\n",
            "slow.py": "import time\ntime.sleep(60)\n",
        }
    ).commit()
    push = mini.started("mini", "push", cwd=shop.path)
    eventually(lambda: mini.api("/v1/apps/shop/builds?limit=1")[0]["state"] == "running")
    yield push
    assert mini.api("/v1/apps/shop/builds?limit=1")[0]["state"] != "running"


def test_a_rollback_to_an_artifact_that_is_gone_is_exit_14_and_takes_no_number(
    mini: Mini, shop: Repository
) -> None:
    first = mini.json("builds", "-a", "shop")[0]["artifact"]
    shop.write(apps.web_and_worker("two")).commit()
    shop.push()
    eventually(lambda: {row["release"] for row in mini.instances("shop")} == {2})
    mini.engine.lose(mini.home, first)
    with mini.unchanged("shop"):
        mini.run("rollback", "v1", "-a", "shop").refused(14, "v1", "gone")


def test_a_rollback_where_there_is_nothing_before_is_refused(mini: Mini, shop: Repository) -> None:
    with mini.unchanged("shop"):
        result = mini.run("rollback", "-a", "shop")
        result.refused(result.code, "shop")
        assert result.code in (2, 3)


def test_a_rollback_to_a_release_that_failed_is_refused(mini: Mini, repository: Make) -> None:
    failing = repository("failing").write(apps.web()).create()
    failing.write({"web.py": "raise SystemExit(1)\n"}).commit()
    failing.try_push().refused(12)
    with mini.unchanged("failing"):
        mini.run("rollback", "v2", "-a", "failing").refused(2, "v2")


def test_an_app_whose_first_push_failed_says_in_every_place_that_nothing_serves(
    mini: Mini, repository: Make
) -> None:
    failing = repository("unborn").write({**apps.web(), "web.py": "raise SystemExit(1)\n"})
    failing.commit()
    failing.try_push().refused(12)
    for words in (["ps"], ["scale"]):
        shown = mini.run(*words, "-a", "unborn")
        assert (shown.code, shown.out) == (0, "")
        assert "No release of unborn serves yet: make one with `mini push`" in shown.err
    mini.run("scale", "web=2", "-a", "unborn").refused(2, "there is none before the first push")


def test_config_before_the_first_build_is_a_release_that_starts_nothing(mini: Mini, tmp_path: Path) -> None:
    mini.ok("create", "empty")
    mini.ok("config", "set", "A=1", "-a", "empty")
    assert mini.instances("empty") == []
    assert [row["version"] for row in mini.json("releases", "-a", "empty")] == [1]
    with mini.unchanged("empty"):
        mini.run("scale", "web=1", "-a", "empty").refused(2, "there is none before the first push")
        mini.run("run", "-a", "empty", "ls").refused(125, "Push first")
        mini.run("rollback", "v1", "-a", "empty").refused(2, "v1")
    assert json.loads(mini.ok("config", "--json", "-a", "empty")) == {"A": "1"}


def test_destroying_an_app_frees_its_name_and_stops_all_of_it(mini: Mini, repository: Make) -> None:
    doomed = repository("doomed").write(apps.web_and_worker()).create()
    mini.ok("config", "set", "A=1", "-a", "doomed")
    running = mini.running("doomed").values()
    mini.ok("destroy", "-a", "doomed", "--confirm", "doomed")
    assert not any(each.is_alive() for each in running)
    assert mini.request("doomed").status == 404
    mini.run("ps", "-a", "doomed").refused(3, "doomed")
    doomed.mini.ok("create", "doomed")
    doomed.push("-a", "doomed")
    assert mini.get("doomed").startswith("one web.1 v1 ")
    assert mini.json("config", "-a", "doomed") == {}


def test_what_a_destroyed_app_leaves_goes_although_another_app_is_being_built(
    mini: Mini, shop: Repository, repository: Make
) -> None:
    before = mini.artifacts()
    repository("passing").write(apps.web("passing")).create()
    (left,) = mini.artifacts() - before
    with building(mini, shop) as push:
        mini.ok("destroy", "-a", "passing", "--confirm", "passing")
        eventually(lambda: f'"artifact":"{left}"' in mini.ok("events", "--json"))
        assert left in mini.artifacts()
        mini.ok("builds", "cancel", mini.json("builds", "-a", "shop")[0]["id"], "-a", "shop")
        push.communicate(timeout=30)
    eventually(lambda: left not in mini.artifacts())
