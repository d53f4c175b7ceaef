"""How instances end: with a status that is told, all of their family, and never for good."""

import re
from collections.abc import Callable

from tests.e2e import apps
from tests.e2e.census import assert_no_orphans
from tests.e2e.engines import Running
from tests.e2e.harness import Mini, Repository
from tests.e2e.machine import processes
from tests.eventually import eventually
from tests.faults.killing import end
from tests.faults.lines import assert_each_kept_once

SETTINGS = {"MINI_STOP_GRACE": "2", "MINI_DRAIN_LIMIT": "2"}
Make = Callable[[str], Repository]

GRANDCHILD = """
import os, subprocess
subprocess.Popen(["sh", "-c", "sleep 1000; :", os.environ["MINI_INSTANCE_ID"]], start_new_session=True)
"""
CRASHING = """
import sys, time
print("about to crash", flush=True)
sys.exit(9)
"""
CRASHES_AFTER_DEPLOYMENT = """
import os, threading, time
if os.environ.get("CRASH"):
    threading.Timer(1.5, os._exit, [7]).start()
"""


def end_control_plane(mini: Mini) -> None:
    end(mini.status()["pids"]["control"])


def test_an_adopted_instance_tells_how_it_ended(mini: Mini, repository: Make) -> None:
    repository("adopted").write(apps.web()).create()
    before = mini.up("adopted", web=1)
    end_control_plane(mini)
    assert mini.named(mini.ps("adopted")) == before
    mini.request("adopted", "/exit/42")
    after = eventually(lambda: restarted(mini, "adopted", before))
    assert after["exit"] == "exit 42"
    assert after["restarts"] == 1
    assert "Process ended: exit 42" in eventually(
        lambda: mini.ok("logs", "-s", "mini", "-p", "web.1", "-a", "adopted")
    )


def restarted(mini: Mini, app: str, before: dict[str, Running]) -> dict[str, object]:
    (row,) = mini.ps(app)
    assert row["state"] == "up", row
    assert mini.engine.running(row) != before["web.1"], row
    return row


def test_an_instance_that_died_without_a_control_plane_tells_how_it_ended(
    mini: Mini, repository: Make
) -> None:
    repository("alone").write(apps.web()).create()
    before, http = mini.up("alone", web=1), mini.http
    end_control_plane(mini)
    mini.request("alone", "/exit/42", address=http)
    eventually(lambda: not before["web.1"].is_alive())
    mini.ps("alone")  # starts the control plane again
    after = eventually(lambda: restarted(mini, "alone", before))
    assert (after["exit"], after["restarts"]) == ("exit 42", 1)
    assert mini.get("alone").startswith("one web.1 v1 ")
    assert_no_orphans(mini)


def test_stopping_with_keep_apps_and_starting_again_adopts_every_instance(
    mini: Mini, chatty: Repository
) -> None:
    mini.ok("scale", "web=2", "-a", "chatty")
    before = mini.up("chatty", web=2)
    mini.ok("server", "stop", "--keep-apps")
    assert all(each.is_alive() for each in before.values())
    mini.start()
    shown = mini.ps("chatty")
    assert mini.named(shown) == before
    assert [row["restarts"] for row in shown] == [0, 0]
    assert mini.get("chatty").split()[1] == "v1"
    assert_each_kept_once(mini, "chatty", instances=2)


def test_stopping_with_the_apps_leaves_nothing_running(mini: Mini, chatty: Repository) -> None:
    assert mini.inhabitants() != {}
    mini.ok("server", "stop")
    assert mini.inhabitants() == {}
    mini.start()
    mini.up("chatty", web=1)


def test_a_grandchild_in_a_session_of_its_own_goes_with_its_instance(mini: Mini, repository: Make) -> None:
    files = apps.web()
    repository("family").write({**files, "web.py": GRANDCHILD + files["web.py"]}).create()
    (row,) = mini.instances("family")
    eventually(lambda: processes("sh", row["id"]))
    mini.ok("scale", "web=0", "-a", "family")
    eventually(lambda: not processes("sh", row["id"]))
    assert_no_orphans(mini)


def test_a_crash_loop_backs_off_and_says_when_it_tries_again(mini: Mini, repository: Make) -> None:
    looping = repository("looping").write(apps.web_and_worker())
    looping.write({"app.json": '{"formation": {"worker": {"quantity": 0}}}', "worker.py": CRASHING}).create()
    mini.run("scale", "worker=1", "-a", "looping")

    def crashed() -> dict[str, object]:
        row = next(row for row in mini.ps("looping") if row["name"] == "worker.1")
        assert row["state"] == "crashed", row
        assert row["restarts"] >= 3, row
        return row

    row = eventually(crashed, within=20)
    assert row["exit"] == "exit 9"
    shown = mini.ok("ps", "-a", "looping")
    assert re.search(r"worker\.1: crashed \(retry in \d+s, \d+ restarts, exit 9\)", shown), shown
    assert mini.get("looping").startswith("one web.1 ")


def test_three_crashes_in_the_first_minute_go_back_one_release(mini: Mini, repository: Make) -> None:
    files = apps.web()
    unstable = repository("unstable").write({**files, "web.py": CRASHES_AFTER_DEPLOYMENT + files["web.py"]})
    unstable.create()
    mini.ok("config", "set", "CRASH=1", "-a", "unstable")
    assert mini.serving("unstable") == 2
    eventually(lambda: mini.serving("unstable") == 3, within=45)
    newest = mini.json("releases", "-a", "unstable")[0]
    assert (newest["version"], newest["current"], newest["origin"]) == (3, True, 1)
    assert "CRASH" not in mini.json("config", "-a", "unstable")
    eventually(lambda: mini.get("unstable").startswith("one web.1 v3 "))


def test_an_instance_killed_from_outside_is_started_again(mini: Mini, chatty: Repository) -> None:
    before = mini.up("chatty", web=1)
    before["web.1"].kill()
    assert eventually(lambda: restarted(mini, "chatty", before))["exit"] == "signal 9"
    assert_no_orphans(mini)
