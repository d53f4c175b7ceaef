"""Apps that misbehave: the deployment fails with its exit code and a clear sentence, and the old release serves on."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tests.e2e import apps
from tests.e2e.harness import Mini, Repository
from tests.e2e.machine import processes
from tests.e2e.results import Result
from tests.eventually import eventually

Make = Callable[[str], Repository]
SETTINGS = {"MINI_BOOT_LIMIT": "5", "MINI_STOP_GRACE": "1", "MINI_DRAIN_LIMIT": "2"}

NEVER_BINDS = "import time\nprint('waiting for godot', flush=True)\nwhile True: time.sleep(60)\n"
ANOTHER_PORT = "import http.server, os\nhttp.server.HTTPServer((os.environ['HOST'], 0), http.server.BaseHTTPRequestHandler).serve_forever()\n"
EXITS_AT_ONCE = "raise SystemExit('no database here')\n"
DAEMON = "import os, sys\nif os.fork(): sys.exit(0)\nos.setsid()\n" + apps.WEB
LEAVES = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    time.sleep(600)\n"
LATE = "import threading\nthreading.Event().wait(2)\n" + apps.WEB
DEAF = apps.WORKER.replace("lambda *_: stopped.set()", "signal.SIG_IGN")
FAILING_CHECK = '{"healthchecks": {"web": [{"type": "startup", "path": "/exit/7", "attempts": 1}]}}'


@pytest.fixture(scope="module")
def shop(mini: Mini, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """An app that serves; each test pushes something worse to it."""
    repository = Repository(mini, tmp_path_factory.mktemp("repositories") / "shop")
    repository.write(apps.web_and_worker()).create()
    mini.ok("scale", "worker=1", "-a", "shop")
    return repository


@contextmanager
def serves_on(mini: Mini, *, added: int = 1) -> Iterator[None]:
    """Assert that the block adds failed releases alone, and leaves every process of the old one as it is."""
    before = mini.snapshot("shop")
    yield
    after = mini.snapshot("shop")
    assert (after.current, after.formation) == (before.current, before.formation)
    assert after.running == before.running
    assert len(after.releases) == len(before.releases) + added
    assert after.releases == tuple(range(len(after.releases), 0, -1))
    assert mini.get("shop").startswith("one web.1 ")


def push(shop: Repository, files: Mapping[str, str]) -> Result:
    """Push one commit with `files` in place of the good ones, which are put back."""
    shop.write({**apps.web_and_worker(), "app.json": "{}", **files}).commit()
    return shop.try_push()


@pytest.mark.parametrize(
    ("files", "code", "sentence"),
    [
        pytest.param({"web.py": NEVER_BINDS}, 12, "it did not listen on its PORT", id="never binds"),
        pytest.param({"web.py": ANOTHER_PORT}, 12, "but not on its PORT", id="binds another port"),
        pytest.param({"web.py": EXITS_AT_ONCE}, 12, "web.1", id="exits at once"),
        pytest.param({"web.py": DAEMON}, 12, "web.1", id="forks a daemon and leaves"),
        pytest.param(
            {"web.py": LATE, "worker.py": EXITS_AT_ONCE}, 12, "worker.1", id="a worker exits before web is up"
        ),
        pytest.param({"app.json": FAILING_CHECK}, 12, "web.1", id="dies of its health check"),
        pytest.param({"Procfile": "web: no-such-program $PORT\n"}, 12, "exit 127", id="no such program"),
        pytest.param(
            apps.web_and_worker(release="exit 3"),
            11,
            "release command failed (exit 3)",
            id="a release command exits 3",
        ),
        pytest.param(
            apps.web_and_worker(release="kill -9 $$"),
            11,
            "release command failed",
            id="a release command is killed",
        ),
        pytest.param(
            apps.web_and_worker(release="no-such-program"),
            11,
            "(exit 127)",
            id="a release command that is not there",
        ),
    ],
)
def test_what_does_not_come_up_leaves_the_old_release_serving(
    mini: Mini, shop: Repository, files: Mapping[str, str], code: int, sentence: str
) -> None:
    with serves_on(mini):
        push(shop, files).refused(code, sentence)
    failed = mini.json("releases", "-a", "shop")[0]
    assert failed["status"] == "failed"
    assert sentence in failed["reason"]
    eventually(lambda: all(row["release"] != failed["version"] for row in mini.instances("shop")))


def test_what_an_app_said_before_it_died_is_shown(mini: Mini, shop: Repository) -> None:
    with serves_on(mini):
        result = push(shop, {"web.py": EXITS_AT_ONCE})
    assert "no database here" in result.err + mini.ok("logs", "-a", "shop"), result


def test_a_failed_release_is_not_carried_into_the_next_one(mini: Mini, shop: Repository) -> None:
    with serves_on(mini):
        push(shop, {"web.py": EXITS_AT_ONCE}).refused(12)
    mini.ok("config", "set", "AFTER=failure", "-a", "shop")
    assert mini.get("shop").startswith("one web.1 ")
    assert mini.get("shop", "/env/AFTER") == "failure"


def test_a_config_change_that_breaks_the_app_is_not_kept(mini: Mini, repository: Make) -> None:
    fragile = repository("fragile")
    files = apps.web()
    fragile.write(
        {**files, "web.py": "import os\nif 'BREAK' in os.environ: raise SystemExit(9)\n" + files["web.py"]}
    )
    fragile.create()
    before = mini.running("fragile")
    mini.run("config", "set", "BREAK=1", "-a", "fragile").refused(12, "web.1", "exit 9")
    assert mini.running("fragile") == before
    assert "BREAK" not in mini.json("config", "-a", "fragile")
    assert mini.serving("fragile") == 1


def test_a_first_deployment_that_fails_leaves_nothing_running(mini: Mini, repository: Make) -> None:
    broken = repository("broken").write(apps.web())
    broken.write({"web.py": EXITS_AT_ONCE}).commit()
    broken.try_push().refused(12, "web.1")
    assert mini.serving("broken") is None
    assert mini.instances("broken") == []
    assert mini.request("broken").status in (404, 502, 503)


def test_an_app_that_binds_late_is_waited_for(mini: Mini, repository: Make) -> None:
    repository("late").write({**apps.web(), "web.py": LATE}).create()
    assert mini.get("late").startswith("one web.1 v1 ")


def test_an_app_that_ignores_the_term_signal_is_killed_after_the_grace(mini: Mini, repository: Make) -> None:
    deaf = repository("deaf").write({**apps.web_and_worker(), "worker.py": DEAF}).create()
    mini.ok("scale", "worker=1", "-a", deaf.name)
    worker = mini.up("deaf", worker=1)["worker.1"]
    mini.ok("scale", "worker=0", "-a", deaf.name)
    eventually(lambda: not worker.is_alive(), within=15)
    eventually(lambda: not [row for row in mini.instances("deaf") if row["type"] == "worker"])


def test_a_daemon_that_left_its_group_goes_with_its_instance(mini: Mini, repository: Make) -> None:
    files = {**apps.web(Procfile="web: python3 web.py $MINI_INSTANCE_ID\n"), "web.py": LEAVES + apps.WEB}
    repository("forking").write(files).create()
    (row,) = mini.instances("forking")
    eventually(lambda: len(processes("web.py", row["id"])) == 2)
    mini.ok("scale", "web=0", "-a", "forking")
    eventually(lambda: not processes("web.py", row["id"]), within=15)


def test_a_port_that_another_program_took_is_passed_over(mini: Mini, shop: Repository) -> None:
    last = max(row["port"] for row in mini.instances("shop") if row["port"])
    with ExitStack() as stack:
        foreign = {port for port in range(last + 1, last + 3) if stack.enter_context(listening(port))}
        mini.ok("scale", "web=3", "-a", "shop")
        mini.up("shop", web=3)
        ports = {row["port"] for row in mini.instances("shop") if row["type"] == "web"}
        assert len(ports - foreign) == 3
        names = {"web.1", "web.2", "web.3"}
        eventually(lambda: {mini.get("shop").split()[1] for _ in range(12)} == names)
    mini.ok("scale", "web=1", "-a", "shop")
    mini.up("shop", web=1)


@contextmanager
def listening(port: int) -> Iterator[bool]:
    """Listen on a port as a program that knows nothing of mini would; says whether it could."""
    with socket.socket() as foreigner:
        try:
            foreigner.bind(("127.0.0.1", port))
        except OSError:
            yield False
            return
        foreigner.listen()
        yield True


def test_a_crash_is_restarted_and_counted(mini: Mini, shop: Repository) -> None:
    first = mini.up("shop", web=1)["web.1"]
    first.kill()
    eventually(lambda: mini.running("shop").get("web.1") not in (None, first), within=20)
    row = next(row for row in mini.ps("shop") if row["name"] == "web.1")
    assert row["restarts"] == 1
    assert mini.get("shop").startswith("one web.1 ")


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        pytest.param("echo 'a  b' | tr a-z A-Z && exec python3 web.py", "A  B", id="a pipe and &&"),
        pytest.param("""echo "it's \\"$PS\\"" && python3 web.py""", """it's "web.1\"""", id="quotes"),
        pytest.param("test -n $PORT && echo port:${PORT:+set}; python3 web.py", "port:set", id="$PORT"),
        pytest.param(
            "false || echo $((20 + 22)) > $TMPDIR/x; cat $TMPDIR/x; python3 web.py", "42", id="redirection"
        ),
        pytest.param(
            "FOO='x # y' sh -c 'echo \"$FOO\"'; python3 web.py", "x # y", id="an assignment and a #"
        ),
    ],
)
def test_a_command_is_a_shell_s(mini: Mini, repository: Make, command: str, printed: str) -> None:
    repository("shelly").write({**apps.web(), "Procfile": f"web: {command}\n"}).commit()
    Repository(mini, repository("shelly").path).push()
    assert mini.get("shelly").split()[1] == "web.1"
    eventually(lambda: f"app[web.1]: {printed}\n" in mini.ok("logs", "-n", "50", "-a", "shelly"))
    mini.ok("destroy", "-a", "shelly", "--confirm", "shelly")
