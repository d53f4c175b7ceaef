"""What the platform owes each of the twelve factors, and beyond them: one scenario each."""

import json
import os
import re
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tests.e2e import apps
from tests.e2e.backing import Backing
from tests.e2e.census import assert_no_orphans
from tests.e2e.harness import Mini, Repository
from tests.e2e.machine import command_lines, free_port, listens, processes
from tests.e2e.wheels import write_wheel
from tests.eventually import eventually

Make = Callable[[str], Repository]
BUDGET = 1024 * 1024
SETTINGS = {
    "MINI_STOP_GRACE": "2",
    "MINI_DRAIN_LIMIT": "2",
    "MINI_LOG_BUDGET": str(BUDGET),
    "OF_THE_MACHINE": "inherited",
    "PYTHONPATH": str(Path(__file__).parent),
}


def test_a_build_is_made_from_one_commit_never_from_the_dirty_work_tree(mini: Mini, repository: Make) -> None:
    shop = repository("codebase").write(apps.web("committed"))
    head = shop.commit()
    shop.write({**apps.web("dirty"), "untracked.py": ""})
    for app in ("codebase", "staging"):
        mini.ok("create", app, cwd=shop.path)
        shop.push("-a", app)
        assert mini.get(app).startswith("committed ")
        assert "untracked.py" not in mini.get(app, "/files")
        assert [row["commit"] for row in mini.json("releases", "-a", app)] == [head]
    shop.write(apps.web("dirty")).commit()
    shop.push("-a", "staging")
    assert mini.get("staging").startswith("dirty ")
    assert mini.get("codebase").startswith("committed ")


def test_declared_dependencies_are_installed_apart_and_nothing_of_the_machine_is_inherited(
    mini: Mini, repository: Make
) -> None:
    shop = repository("dependencies")
    wheel = write_wheel(shop.path / "vendor", "salutation", version="1.2.3")
    shop.write({**apps.web(), "requirements.txt": f"./vendor/{wheel}\n"}).create()

    def python(code: str) -> str:
        return mini.ok("run", "-a", shop.name, "--", "python", "-c", code).strip()

    assert python("import salutation; print(salutation.VERSION)") == "1.2.3"
    assert (
        python("import importlib.util as u; print(u.find_spec('fastapi'), u.find_spec('harness'))")
        == "None None"
    )
    assert python("import sys; print(sys.prefix != sys.base_prefix)") == "True"
    assert mini.get(shop.name, "/env/OF_THE_MACHINE") == "<unset>"
    assert mini.get(shop.name, "/env/PYTHONPATH") == "<unset>"
    assert mini.run("run", "-a", shop.name, "--", "env").out.count("inherited") == 0


def test_config_is_in_the_environment_alone_and_encrypted_at_rest(mini: Mini, repository: Make) -> None:
    canary = "canary-3f1c9a77d2"
    shop = repository("config").write(apps.web())
    shop.commit()
    mini.ok("create", shop.name, cwd=shop.path)
    mini.ok("config", "set", "TOKEN=-", "-a", shop.name, stdin=f"{canary}\n")
    shop.push()
    assert mini.get(shop.name, "/env/TOKEN") == canary
    assert not [line for _, line in command_lines() if canary.encode() in line]
    files = [path for path in mini.home.rglob("*") if path.is_file()]
    assert any(path.name == "mini.db" for path in files)
    assert not [path for path in files if canary.encode() in path.read_bytes()]
    assert canary not in mini.ok("diff", "v1", "v2", "-a", shop.name)


def test_a_backing_service_is_swapped_by_one_config_change_without_a_rebuild(
    mini: Mini, repository: Make, backing: Backing
) -> None:
    for name in ("first", "second"):
        backing.put(name, f"from the {name}")
    shop = repository("backing").write({**apps.web(), "web.py": apps.BACKED})
    shop.commit()
    mini.ok("create", shop.name, cwd=shop.path)
    mini.ok("config", "set", f"STORE_URL={backing.url('first')}", "-a", shop.name)
    shop.push()
    assert mini.get(shop.name, "/row") == "from the first"
    mini.ok("config", "set", f"STORE_URL={backing.url('second')}", "-a", shop.name)
    assert mini.get(shop.name, "/row") == "from the second"
    assert len(mini.json("builds", "-a", shop.name)) == 1


def test_releases_are_immutable_and_numbered_and_a_rollback_is_a_new_release_of_an_old_one(
    mini: Mini, repository: Make
) -> None:
    shop = repository("stages").write(apps.web("one")).create()
    first = mini.json("releases", "info", "v1", "-a", shop.name)
    mini.ok("config", "set", "COLOUR=red", "-a", shop.name)
    shop.write(apps.web("two")).commit()
    shop.push()
    mini.ok("rollback", "v1", "-a", shop.name)
    releases = mini.json("releases", "-a", shop.name)
    assert [row["version"] for row in releases] == [4, 3, 2, 1]
    assert [row["build"] for row in releases] == [
        first["build"],
        releases[1]["build"],
        first["build"],
        first["build"],
    ]
    assert len(mini.json("builds", "-a", shop.name)) == 2
    again = mini.json("releases", "info", "v1", "-a", shop.name)
    # What may differ is what it is to the app now, not what it is.
    assert {key for key in first if first[key] != again[key]} <= {"current", "rollback_target", "url"}
    assert mini.get(shop.name).startswith("one web.1 v4 ")
    assert mini.get(shop.name, "/env/COLOUR") == "<unset>"


def test_processes_share_nothing_and_their_scratch_goes_with_them(mini: Mini, repository: Make) -> None:
    shop = repository("processes").write(apps.web()).create()
    mini.ok("scale", "web=2", "-a", shop.name)
    mini.get(shop.name, "/write/mine")
    both = {"Procfile web.py", "Procfile mine web.py"}
    eventually(lambda: {mini.get(shop.name, "/files") for _ in range(8)} == both)
    scratches = {each.scratch() for each in mini.running(shop.name).values()}
    assert len(scratches) == 2
    mini.ok("restart", "-a", shop.name)
    eventually(lambda: not any(each.exists() for each in scratches))
    assert {mini.get(shop.name, "/files") for _ in range(8)} == {"Procfile web.py"}


def test_requests_go_only_to_an_instance_that_listens_on_its_port(
    mini: Mini, repository: Make, backing: Backing
) -> None:
    shop = repository("ports").write({**apps.web(), "web.py": apps.GATED, "gate.py": apps.GATE})
    shop.commit()
    mini.ok("create", shop.name, cwd=shop.path)
    mini.ok("config", "set", f"GATE={backing.url('gate')}", "-a", shop.name)
    shop.push()
    mini.ok("scale", "web=2", "--no-wait", "-a", shop.name)
    eventually(lambda: [row["state"] for row in mini.instances(shop.name)] == ["up", "starting"])
    assert {mini.get(shop.name).split()[1] for _ in range(20)} == {"web.1"}
    backing.put("gate")
    mini.up(shop.name, web=2)
    eventually(lambda: {mini.get(shop.name).split()[1] for _ in range(8)} == {"web.1", "web.2"})
    ports = {row["port"] for row in mini.instances(shop.name)}
    eventually(lambda: {int(mini.get(shop.name, "/env/PORT")) for _ in range(8)} == ports)


def test_process_types_are_scaled_each_on_its_own(mini: Mini, repository: Make) -> None:
    shop = repository("concurrency").write(apps.web_and_worker()).create()
    web = mini.up(shop.name, web=1, worker=0)
    mini.ok("scale", "worker=2", "-a", shop.name)
    both = mini.up(shop.name, web=1, worker=2)
    assert both["web.1"] == web["web.1"]
    mini.ok("scale", "web+1", "worker-1", "-a", shop.name)
    after = mini.up(shop.name, web=2, worker=1)
    assert (after["web.1"], after["worker.1"]) == (web["web.1"], both["worker.1"])


def test_a_stop_ends_the_whole_process_group_and_a_crash_is_restarted(mini: Mini, repository: Make) -> None:
    shop = repository("disposability")
    command = "sh -c 'python3 family.py $MINI_INSTANCE_ID; :'"
    files = apps.web(Procfile=f"web: python3 web.py\nfamily: {command}\n", **{"family.py": apps.FAMILY})
    shop.write(files).create()
    mini.ok("scale", "family=1", "-a", shop.name)

    def family() -> str:
        """Return the id of the instance, once both of its processes are there."""
        ids = [str(row["id"]) for row in mini.instances(shop.name) if row["name"] == "family.1"]
        assert [len(processes(id)) for id in ids] == [2]
        return ids[0]

    first = eventually(family)
    mini.up(shop.name, family=1)["family.1"].kill()
    eventually(lambda: not processes(first))
    second = eventually(family, within=20)
    assert second != first
    mini.ok("scale", "family=0", "-a", shop.name)
    eventually(lambda: not processes(second))
    eventually(lambda: "app[family.1]: child got TERM" in mini.ok("logs", "-a", shop.name))


def test_mini_local_runs_the_same_procfile_with_the_same_config(mini: Mini, repository: Make) -> None:
    shop = repository("parity").write(apps.web_and_worker()).create()
    mini.ok("config", "set", "COLOUR=green", "-a", shop.name)
    port = free_port()
    local = mini.started("mini", "local", "-c", "web=1", "-p", str(port), cwd=shop.path)
    try:
        eventually(lambda: listens(port), within=20)
        answer = mini.request("127.0.0.1", "/env/COLOUR", address=("127.0.0.1", port))
        assert answer.text == mini.get(shop.name, "/env/COLOUR") == "green"
        assert local.stdout is not None
        assert any("worker up" in line for line in local.stdout)
    finally:
        os.killpg(local.pid, signal.SIGINT)
        out, err = local.communicate(timeout=30)
    assert "Traceback" not in out + err


def test_log_lines_are_stamped_and_streamed_within_a_budget_and_outlive_their_release(
    mini: Mini, repository: Make
) -> None:
    shop = repository("streams").write(apps.web()).create()
    tail = mini.started("mini", "logs", "-t", "-n", "0", "-p", "web", "-s", "app", "-a", shop.name)
    try:
        lines = tail.stdout
        assert lines is not None
        eventually(lambda: mini.get(shop.name, "/print/of-v1") and has_more(lines))
        stamped = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 app\[web\.1\]: of-v1\n"
        assert re.fullmatch(stamped, lines.readline())
        shop.write(apps.web("two")).commit()
        shop.push()
        mini.get(shop.name, "/print/of-v2")
        while "of-v2" not in lines.readline():
            pass
    finally:
        tail.kill()
        tail.communicate()
    assert "of-v1" in mini.ok("logs", "--release", "v1", "-a", shop.name)
    assert mini.ok("logs", "-t", "-n", "0", "--until", "1m", "-a", shop.name) == ""
    mini.ok(
        "run",
        "-a",
        shop.name,
        "-d",
        "--",
        "sh",
        "-c",
        "yes 0123456789012345678901234567890123456789 | head -n 100000; echo flood over",
    )
    eventually(lambda: "flood over" in mini.ok("logs", "-n", "5", "-a", shop.name), within=30)
    assert sum(path.stat().st_size for path in (mini.home / "logs").rglob("*") if path.is_file()) < 3 * BUDGET


def has_more(stream: IO[str]) -> bool:
    """Return whether a command has printed something."""
    return bool(select.select([stream], [], [], 0.1)[0])


def test_a_one_off_has_a_port_of_its_own_so_that_web_runs_as_one_too(mini: Mini, repository: Make) -> None:
    shop = repository("port").write(apps.web()).create()
    served = mini.get(shop.name, "/env/PORT")
    run = mini.started("mini", "run", "-a", shop.name, "web")
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == "listening\n"
        (row,) = [row for row in mini.instances(shop.name) if row["one_off"]]
        assert row["port"] is not None
        assert mini.get(shop.name, "/env/PORT") == served
    finally:
        run.terminate()
        run.communicate(timeout=60)
    detached = json.loads(mini.ok("run", "-d", "--json", "-a", shop.name, "echo", "a b"))
    assert detached["command"] == "echo 'a b'"
    warned = mini.run("config", "set", "PORT=1", "-a", shop.name)
    assert (warned.code, "mini itself sets PORT" in warned.err) == (0, True)
    assert mini.get(shop.name, "/env/PORT") != "1"


def test_a_one_off_is_stopped_by_its_name_or_its_time_limit_whoever_started_it(
    mini: Mini, repository: Make
) -> None:
    shop = repository("stopped").write(apps.web()).create()

    def one_offs() -> list[str]:
        return [row["name"] for row in mini.instances(shop.name) if row["one_off"]]

    attached = mini.started("mini", "run", "-a", shop.name, "--", "sleep", "1000")
    eventually(lambda: one_offs() == ["run.1"])
    mini.ok("run", "-d", "-a", shop.name, "--", "sleep", "1000")
    assert one_offs() == ["run.1", "run.2"]
    mini.ok("stop", "run.1", "-a", shop.name)
    mini.ok("stop", "run.2", "-a", shop.name)
    attached.communicate(timeout=60)
    assert attached.returncode == 128 + 15
    eventually(lambda: one_offs() == [], within=30)
    mini.run("stop", "run.2", "-a", shop.name).refused(3, "no instance run.2")
    mini.ok("run", "-d", "--timeout", "5", "-a", shop.name, "--", "sleep", "1000")
    mini.ok("server", "stop", "--keep-apps")
    mini.start()
    eventually(lambda: one_offs() == [], within=30)
    assert "its time limit of 5 s is over" in mini.ok("logs", "-a", shop.name)


def test_a_one_off_runs_in_the_same_release_and_config_and_leaves_nothing_behind(
    mini: Mini, repository: Make
) -> None:
    shop = repository("admin").write(apps.web()).create()
    mini.ok("config", "set", "COLOUR=green", "-a", shop.name)
    folder = mini.home / "instances"
    before, scratches = mini.snapshot(shop.name), set(folder.glob("*"))
    script = "read line; echo $line $COLOUR $MINI_RELEASE $PS $MINI_COMMIT | tee file; exit 7"
    done = mini.run("run", "-a", shop.name, "--", "sh", "-c", script, stdin="hello\n")
    commit = mini.json("releases", "-a", shop.name)[0]["commit"]
    assert (done.code, done.out.split()) == (7, ["hello", "green", "v2", "run.1", commit])
    run = mini.started(
        "mini",
        "run",
        "-a",
        shop.name,
        "--",
        "sh",
        "-c",
        "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done",
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    os.kill(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=20)
    assert (run.returncode, out) == (9, "caught\n")
    eventually(lambda: not [row for row in mini.instances(shop.name) if row["one_off"]])
    assert_no_orphans(mini)
    eventually(lambda: set(folder.glob("*")) <= scratches)
    assert mini.snapshot(shop.name) == before


def test_beyond_the_twelve_there_are_an_api_telemetry_tokens_and_health_checks(
    mini: Mini, repository: Make, tmp_path: Path
) -> None:
    check = {"healthchecks": {"web": [{"type": "startup", "path": "/healthy", "content": "one"}]}}
    shop = repository("beyond").write({**apps.web(), "app.json": json.dumps(check)}).create()
    # The API: everything the command line does, described by itself; on TCP with a token alone.
    api = mini.status()["api"]
    host, _, port = api.rpartition(":")
    token = (mini.home / "keys" / "admin-token").read_text().strip()
    for credentials, status in (({}, 401), (bearer("mini_wrong"), 401), (bearer(token), 200)):
        answer = mini.request(api, "/v1/apps", headers=credentials, address=(host, int(port)))
        assert answer.status == status
    assert "/v1/apps/{app}/rollbacks" in mini.api("/openapi.json")["paths"]
    # Telemetry: request ids go through to the app's answer and the log, metrics count.
    answer = mini.request(shop.name, headers={"X-Request-ID": "from-the-client-1"})
    assert answer.headers.get("X-Request-ID")
    eventually(lambda: answer.headers["X-Request-ID"] in mini.ok("logs", "-s", "mini", "-a", shop.name))
    assert mini.run("checks", "run", "-a", shop.name).code == 0
    # Health checks: what fails its own check gets no traffic.
    shop.write({"app.json": json.dumps(check).replace('"one"', '"never"')}).commit()
    with_old = mini.running(shop.name)
    shop.try_push().refused(12, "web.1")
    assert mini.running(shop.name) == with_old


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
