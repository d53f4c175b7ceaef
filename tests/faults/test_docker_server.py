"""A server on the docker engine: what it promises while Docker is silent, and when it is killed itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.dockerd import PYTHON, docker, needs_docker
from tests.e2e.harness import Mini, Repository, kill
from tests.eventually import eventually
from tests.faults.docker_proxy import DockerProxy

pytestmark = needs_docker

APP = """
import http.server, itertools, os, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["MINI_RELEASE"].encode())
    def log_message(self, *_): pass
def talk():
    for number in itertools.count(1):
        print("line", number, flush=True); time.sleep(0.005)
threading.Thread(target=talk, daemon=True).start()
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
SECONDS = 30
"""What "within seconds" is on a busy machine: a command that takes longer without Docker waits for it."""
NAME = "shop-of-faults"
"""Other tests have a shop on the same Docker."""
FILES = {
    "app.py": APP,
    "Dockerfile": f"FROM {PYTHON}\nCOPY app.py /app.py\n",
    "Procfile": "web: exec python3 /app.py\n",
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerProxy]:
    proxy = DockerProxy(tmp_path_factory.mktemp("d") / "proxy.sock")
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory, proxy: DockerProxy) -> Iterator[Mini]:
    server = Mini(tmp_path_factory.mktemp("mini") / "home", {"MINI_ENGINE": "docker", **proxy.environ})
    server.start()
    yield server
    proxy.go_on()
    assert server.stop().code == 0


@pytest.fixture(scope="module")
def shop(mini: Mini, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An app with two instances that answer and talk."""
    repository = Repository(mini, tmp_path_factory.mktemp("apps") / NAME).write(FILES)
    repository.commit()
    repository.push()
    mini.ok("scale", "web=2", "-a", NAME)
    eventually(lambda: len(containers()) == 2, within=30)
    return NAME


def containers(*options: str) -> list[str]:
    """Return the ids of the app's containers that run; of those that do not too with `-a`."""
    return sorted(docker("ps", "-q", *options, "--filter", f"label=mini.app-name={NAME}").split())


def numbers(mini: Mini, instance: str) -> list[int]:
    printed = mini.ok("logs", "-n", "100000", "-s", "app", "-p", instance, "-a", NAME)
    return [int(line.rpartition(" ")[2]) for line in printed.splitlines() if " line " in line]


def test_everything_but_docker_answers_while_docker_is_silent(
    mini: Mini, proxy: DockerProxy, shop: str
) -> None:
    before = containers()
    proxy.hang()
    for command in (["ps"], ["config"], ["releases"], ["logs", "-n", "5"]):
        mini.ok(*command, "-a", shop, limit=SECONDS)
        assert mini.get(shop) == "v1"
    assert [row["state"] for row in mini.ps(shop)] == ["unknown", "unknown"]
    proxy.go_on()
    assert containers() == before


def test_a_killed_control_plane_adopts_its_containers_and_every_line_is_kept_once(
    mini: Mini, shop: str
) -> None:
    before = containers()
    for _ in range(3):
        kill(mini.status()["pids"]["control"])
        eventually(lambda: mini.run("server", "start").code == 0, within=30)
        assert mini.get(shop) == "v1"
        reached = numbers(mini, "web.1")[-1]
        eventually(lambda reached=reached: numbers(mini, "web.1")[-1] > reached + 200, within=60)  # type: ignore[misc]
    assert containers() == before
    kept = numbers(mini, "web.1")
    assert kept == list(range(1, len(kept) + 1))


def kill_control(mini: Mini) -> None:
    kill(mini.status()["pids"]["control"])


def stop_keeping_apps(mini: Mini) -> None:
    mini.ok("server", "stop", "--keep-apps")


@pytest.mark.parametrize(
    ("end", "fall_silent"),
    [
        pytest.param(kill_control, DockerProxy.hang, id="killed, and Docker hangs"),
        pytest.param(stop_keeping_apps, DockerProxy.vanish, id="stopped, and Docker is gone"),
    ],
)
def test_a_server_that_starts_without_docker_serves_on_and_calls_what_ran_unknown(
    mini: Mini,
    proxy: DockerProxy,
    shop: str,
    end: Callable[[Mini], None],
    fall_silent: Callable[[DockerProxy], None],
) -> None:
    before = containers("-a")
    end(mini)
    fall_silent(proxy)
    try:
        eventually(lambda: mini.run("server", "start", limit=SECONDS).code == 0, within=SECONDS)
        assert mini.get(shop) == "v1"
        listed = mini.run("ps", "-a", shop, limit=SECONDS)
        assert "web.1: unknown" in listed.out, listed
        assert "web.2: unknown" in listed.out, listed
        assert "mini doctor" in listed.err, listed
        assert [row["state"] for row in mini.ps(shop)] == ["unknown", "unknown"]
        assert mini.get(shop) == "v1"
    finally:
        proxy.go_on()
    rows = eventually(lambda: all_up(mini, shop), within=60)
    assert [(row["name"], row["restarts"]) for row in rows] == [("web.1", 0), ("web.2", 0)]
    assert containers("-a") == before
    assert mini.get(shop) == "v1"
    kept = numbers(mini, "web.1")
    assert kept == list(range(1, len(kept) + 1))


def all_up(mini: Mini, shop: str) -> list[dict[str, Any]]:
    rows = mini.ps(shop)
    assert [row["state"] for row in rows] == ["up", "up"], rows
    return rows


def test_a_container_removed_by_hand_is_started_again(mini: Mini, shop: str) -> None:
    before = containers()
    docker("rm", "-f", before[0])
    eventually(lambda: len(containers()) == 2 and before[0] not in containers(), within=60)
    eventually(lambda: [row["state"] for row in mini.ps(shop)] == ["up", "up"], within=60)
    assert mini.get(shop) == "v1"


def test_nothing_is_left_of_a_destroyed_app(mini: Mini, shop: str) -> None:
    network = docker("inspect", "-f", "{{.HostConfig.NetworkMode}}", containers()[0])
    mini.ok("destroy", "-a", shop, "--confirm", shop)
    eventually(lambda: containers() == [], within=30)
    eventually(lambda: not docker("network", "ls", "-q", "--filter", f"name={network}"), within=30)
