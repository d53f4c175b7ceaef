"""What the README promises: one scenario for each sentence, named by it."""

import os
import pty
import select
import signal
import subprocess
import termios
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import apps
from tests.e2e.harness import BIN, Mini, Repository, kill
from tests.e2e.machine import alive
from tests.e2e.results import Answer
from tests.e2e.traffic import traffic
from tests.eventually import eventually

Make = Callable[[str], Repository]
SETTINGS = {"MINI_STOP_GRACE": "2", "MINI_DRAIN_LIMIT": "10"}
READING = [
    "apps",
    "info",
    "ps",
    "releases",
    "releases info",
    "builds",
    "config",
    "scale",
    "domains",
    "routes",
]
BROKEN = "raise SystemExit('broken')\n"


@pytest.fixture
def shop(mini: Mini, repository: Make) -> Iterator[Repository]:
    """A pushed app of the one name `shop`, destroyed afterwards."""
    made = repository("shop").write(apps.web_and_worker()).create()
    yield made
    mini.ok("destroy", "-a", "shop", "--confirm", "shop")


# -- nothing you deployed goes down ---------------------------------------------------------------------------------
def test_a_new_release_must_be_healthy_before_one_request_goes_to_it(mini: Mini, shop: Repository) -> None:
    with traffic(mini, "shop") as answers:
        shop.write(apps.web_and_worker("two")).commit()
        shop.push()
        mini.ok("config", "set", "A=1", "-a", "shop")
        mini.ok("restart", "-a", "shop")
        mini.ok("rollback", "v1", "-a", "shop")
        mini.ok("scale", "web=2", "-a", "shop")
        mini.ok("scale", "web=1", "-a", "shop")
        count = len(answers)
        eventually(lambda: len(answers) > count + 10)
    assert {answer.status for answer in answers} == {200}
    releases = [answer.text.split()[2] for answer in answers]
    assert list(dict.fromkeys(releases)) == ["v1", "v2", "v3", "v4"]


def test_if_a_new_release_is_not_healthy_the_old_one_never_noticed(mini: Mini, shop: Repository) -> None:
    mini.ok("scale", "web=2", "worker=1", "-a", "shop")
    before = mini.up("shop", web=2, worker=1)
    with traffic(mini, "shop") as answers:
        shop.write({"web.py": BROKEN}).commit()
        shop.try_push().refused(12, "web.")
    assert mini.running("shop") == before
    assert {(answer.status, answer.text.split()[2]) for answer in answers} == {(200, "v1")}


def test_requests_under_way_are_finished(mini: Mini, shop: Repository) -> None:
    answers: list[Answer] = []
    slow = threading.Thread(target=lambda: answers.append(mini.request("shop", "/slow/2")))
    slow.start()
    shop.write(apps.web_and_worker("two")).commit()
    shop.push()
    slow.join()
    assert answers[0].text.startswith("one web.1 v1 ")


@pytest.mark.parametrize("part", ["control", "router", "logs"])
def test_kill_9_of_any_part_leaves_the_apps_serving(mini: Mini, shop: Repository, part: str) -> None:
    before = mini.running("shop")
    pids = mini.status()["pids"]
    address = mini.http
    killed = pids[part] if part == "router" else [pids[part]]
    for pid in killed:
        kill(pid)
    eventually(lambda: not any(alive(pid) for pid in killed))
    eventually(lambda: serves(mini, address))
    mini.start()
    assert mini.http == address
    assert mini.up("shop", web=1) == before
    mini.get("shop", "/print/after-the-kill")
    eventually(lambda: "app[web.1]: after-the-kill" in mini.ok("logs", "-a", "shop"), within=20)
    eventually(lambda: alive(mini.status()["pids"]["logs"]))


def serves(mini: Mini, address: tuple[str, int]) -> bool:
    try:
        return mini.request("shop", address=address).status == 200
    except OSError:
        return False


# -- nothing you typed is lost --------------------------------------------------------------------------------------
def test_what_was_acknowledged_survives_a_crash(mini: Mini, shop: Repository) -> None:
    mini.ok("config", "set", "KEPT=yes", "-a", "shop")
    mini.ok("scale", "worker=2", "--no-wait", "-a", "shop")
    mini.ok("domains", "add", "kept.example.com", "-a", "shop")
    kill(mini.status()["pids"]["control"])
    mini.start()
    assert mini.serving("shop") == 2
    mini.up("shop", web=1, worker=2)
    assert mini.get("shop", "/env/KEPT") == "yes"
    assert mini.get("kept.example.com").startswith("one web.1 v2 ")


# -- nobody gets in -------------------------------------------------------------------------------------------------
def test_the_api_is_a_unix_socket_of_your_own(mini: Mini) -> None:
    socket = Path(mini.status()["socket"])
    assert socket.is_socket()
    assert socket.stat().st_mode & 0o777 == 0o600
    assert socket.stat().st_uid == os.getuid()
    assert mini.home.stat().st_mode & 0o777 == 0o700


def test_config_is_shown_only_when_you_ask_for_it(mini: Mini, shop: Repository) -> None:
    mini.ok("config", "set", "TOKEN=very-secret-value", "-a", "shop")
    mini.ok("rollback", "-a", "shop")
    shown = [
        mini.ok(*argv, "-a", "shop")
        for argv in (
            ["info"],
            ["ps"],
            ["releases"],
            ["releases", "info", "v2"],
            ["releases", "output", "v2"],
            ["diff", "v1", "v2"],
            ["events"],
            ["logs"],
            ["rollback", "v2", "--dry-run"],
        )
    ]
    assert not [text for text in shown if "very-secret-value" in text]
    assert "very-secret-value" in mini.ok("diff", "v1", "v2", "--reveal", "-a", "shop")
    mini.ok("rollback", "v2", "-a", "shop")
    assert mini.ok("config", "get", "TOKEN", "-a", "shop") == "very-secret-value\n"


# -- what it is used as ---------------------------------------------------------------------------------------------
def test_git_push_mini_main_deploys_and_another_branch_is_stored_alone(mini: Mini, shop: Repository) -> None:
    head = shop.write(apps.web_and_worker("two")).commit()
    pushed = mini.command("git", "push", "mini", "main", cwd=shop.path)
    assert pushed.code == 0, pushed
    assert f"Building {head[:7]}" in pushed.err
    assert mini.get("shop").startswith("two web.1 v2 ")
    shop.git("checkout", "-q", "-b", "topic")
    shop.write(apps.web_and_worker("three")).commit()
    stored = mini.command("git", "push", "mini", "topic", cwd=shop.path)
    assert stored.code == 0, stored
    assert "not deployed" in stored.err
    assert mini.serving("shop") == 2


def test_push_without_an_app_creates_it_and_adds_the_remote(mini: Mini, repository: Make) -> None:
    fresh = repository("My_First App").write(apps.web())
    fresh.commit()
    assert fresh.push().startswith("v1  http://my-first-app.localhost:")
    assert fresh.git("remote", "get-url", "mini") == "mini::my-first-app"
    assert mini.get("my-first-app").startswith("one web.1 v1 ")


def test_push_of_what_already_runs_makes_nothing_new(mini: Mini, shop: Repository) -> None:
    with mini.unchanged("shop"):
        result = shop.try_push()
        assert result.code == 0
        assert "already" in result.err
    shop.push("--no-cache")
    assert mini.serving("shop") == 2


def test_rollback_without_a_release_goes_to_the_one_before_and_further_back(
    mini: Mini, shop: Repository
) -> None:
    for mark in ("two", "three"):
        shop.write(apps.web_and_worker(mark)).commit()
        shop.push()
    mini.ok("rollback", "-a", "shop")
    assert mini.get("shop").startswith("two web.1 v4 ")
    mini.ok("rollback", "-a", "shop")
    assert mini.get("shop").startswith("one web.1 v5 ")


def test_releases_and_diff_say_what_was_released_by_whom_and_what_differs(
    mini: Mini, shop: Repository
) -> None:
    mini.ok("config", "set", "COLOUR=red", "-a", "shop")
    head = shop.write(apps.web("two")).commit("Without a worker")
    shop.push("-m", "no worker")
    newest, middle, oldest = mini.json("releases", "-a", "shop")
    assert (newest["description"], middle["description"]) == (
        f"Deploy {head[:7]}: no worker",
        "Set COLOUR config var",
    )
    assert oldest["actor"] == newest["actor"]
    differs = mini.ok("diff", "v1", "v3", "-a", "shop")
    assert all(
        part in differs for part in ("+ COLOUR: [hidden]", "Without a worker", "- worker: python3 worker.py")
    )


def test_web_instances_are_replaced_before_they_are_stopped(mini: Mini, shop: Repository) -> None:
    (before,) = mini.instances("shop")
    with traffic(mini, "shop") as answers:
        mini.ok("restart", "web", "-a", "shop")
        eventually(lambda: answers[-1].text.split()[3] != before["id"])
    assert {answer.status for answer in answers} == {200}
    mini.up("shop", web=1)
    mini.ok("stop", "web.1", "-a", "shop")
    eventually(lambda: [row["state"] for row in mini.instances("shop")] == ["stopped"])
    mini.ok("restart", "web.1", "-a", "shop")
    mini.up("shop", web=1)


def test_the_log_is_followed_without_a_gap(mini: Mini, shop: Repository) -> None:
    tail = mini.started("mini", "logs", "-t", "-n", "1000", "-p", "web", "--grep", "number-", "-a", "shop")
    for number in range(30):
        mini.get("shop", f"/print/number-{number}")
        if number == 10:
            kill(mini.status()["pids"]["logs"])
        if number == 20:
            mini.ok("restart", "-a", "shop")
    assert tail.stdout is not None
    seen = [tail.stdout.readline().rpartition("number-")[2].strip() for _ in range(30)]
    tail.kill()
    tail.communicate()
    assert seen == [str(number) for number in range(30)]


def test_a_domain_is_another_host_for_the_app(mini: Mini, shop: Repository) -> None:
    assert mini.request("shop.example.com").status == 404
    mini.ok("domains", "add", "shop.example.com", "-a", "shop")
    assert eventually(lambda: mini.request("shop.example.com").status == 200)
    mini.ok("domains", "remove", "shop.example.com", "-a", "shop")
    assert eventually(lambda: mini.request("shop.example.com").status == 404)


def test_a_one_off_has_your_terminal_and_its_exit_code_is_yours(mini: Mini, shop: Repository) -> None:
    argv = [
        str(BIN / "mini"),
        "run",
        "-a",
        "shop",
        "--",
        "sh",
        "-c",
        "test -t 0 && stty size && echo $TERM && read x && exit $x",
    ]
    pid, terminal = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(0, (33, 101))
        os.execve(argv[0], argv, {**mini.environ, "TERM": "vt220"})
    shown = b""
    while shown.count(b"\n") < 2 and select.select([terminal], [], [], 20)[0]:
        shown += os.read(terminal, 1024)
    os.write(terminal, b"42\n")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert shown.split() == [b"33", b"101", b"vt220"]
    assert os.waitstatus_to_exitcode(status) == 42


def test_the_config_s_term_is_kept_on_your_terminal(mini: Mini, shop: Repository) -> None:
    mini.ok("config", "set", "TERM=dumb", "-a", "shop")
    argv = [str(BIN / "mini"), "run", "-a", "shop", "--", "printenv", "TERM"]
    ours, theirs = pty.openpty()
    environ = {**mini.environ, "TERM": "vt220"}
    with subprocess.Popen(argv, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as client:
        assert client.wait(timeout=30) == 0
    assert os.read(ours, 1024).split() == [b"dumb"]
    os.close(ours)
    os.close(theirs)


@contextmanager
def reading_nothing(mini: Mini, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A one-off that reads nothing of its input, at the point where its client has sent what it can."""
    source = folder / "input"
    source.write_bytes(bytes(8 * 1024 * 1024))
    argv = [str(BIN / "mini"), "run", "-a", "shop", "--", "sleep", "1000000"]
    positions = deque[int](maxlen=25)
    with (
        source.open("rb") as stdin,
        subprocess.Popen(argv, env=mini.environ, stdin=stdin, stdout=subprocess.DEVNULL) as client,
    ):

        def stands_still() -> bool:
            positions.append(os.lseek(stdin.fileno(), 0, os.SEEK_CUR))  # which the client shares
            return positions.count(positions[0]) == positions.maxlen and positions[0] > 0

        try:
            eventually(stands_still, within=30)
            yield client
        finally:
            client.kill()


def test_ctrl_c_ends_a_one_off_that_reads_nothing_of_its_input(
    mini: Mini, shop: Repository, tmp_path: Path
) -> None:
    before = mini.inhabitants()
    with reading_nothing(mini, tmp_path) as client:
        client.send_signal(signal.SIGINT)
        assert client.wait(timeout=20) == 130
    eventually(lambda: not [row for row in mini.ps("shop") if row["one_off"]])
    assert mini.inhabitants() == before


def test_a_one_off_that_reads_nothing_of_its_input_ends_with_its_client(
    mini: Mini, shop: Repository, tmp_path: Path
) -> None:
    before = mini.inhabitants()
    with reading_nothing(mini, tmp_path) as client:
        client.kill()
    eventually(lambda: not [row for row in mini.ps("shop") if row["one_off"]], within=20)
    assert mini.inhabitants() == before


def test_all_that_a_one_off_is_given_arrives_and_so_does_all_that_it_prints(
    mini: Mini, shop: Repository, tmp_path: Path
) -> None:
    given = b"".join(b"%0127d\n" % number for number in range(64 * 1024))
    argv = [str(BIN / "mini"), "run", "-a", "shop", "--", "cat"]
    done = subprocess.run(argv, env=mini.environ, input=given, capture_output=True, timeout=120, check=True)
    assert done.stdout == given


def test_doctor_gc_and_events_say_what_is_wrong_what_can_go_and_what_happened(
    mini: Mini, shop: Repository
) -> None:
    assert mini.run("doctor").code == 0
    assert mini.run("gc", "--dry-run").code == 0
    assert "shop" in mini.ok("events", "-a", "shop")


def test_everything_takes_json_before_and_after_the_command(mini: Mini, shop: Repository) -> None:
    for command in [*READING, "checks show", "doctor", "version", "server status"]:
        before, after = mini.json("-a", "shop", *command.split()), mini.json(*command.split(), "-a", "shop")
        assert isinstance(before, list | dict), command
        assert type(before) is type(after), command


def test_the_colon_form_is_the_same_command(mini: Mini, shop: Repository) -> None:
    mini.ok("config:set", "A=1", "-a", "shop")
    assert mini.ok("config:get", "A", "-a", "shop") == "1\n"
    assert mini.ok("ps:scale", "-a", "shop") == mini.ok("scale", "-a", "shop")
    mini.ok("releases:rollback", "v1", "-a", "shop")
    assert mini.serving("shop") == 3
