"""What containers of apps are, what they may and what they reach, and what stays of config: on a real server."""

import io
import json
import os
import pty
import signal
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Any

import pytest

from tests.dockerd import PYTHON, docker
from tests.e2e.harness import BIN, Mini, Repository, kill
from tests.e2e.machine import command_lines
from tests.eventually import eventually

pytestmark = pytest.mark.only("docker", why="it is about containers")

SETTINGS = {
    "MINI_BOOT_LIMIT": "8",
    "MINI_STOP_GRACE": "2",
    "MINI_INSTANCE_MEMORY": "64",
}
CANARY = f"canary{token_hex(8)}"

WEB = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["MINI_RELEASE"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
FILES = {
    "web.py": WEB,
    "Dockerfile": f"FROM {PYTHON}\nCOPY web.py /web.py\n",
    "Procfile": "web: exec python3 /web.py\nhog: exec python3 -c 'bytearray(1 << 30)'\n",
}


@pytest.fixture
def shop(mini: Mini, repository: Callable[[str], Repository]) -> Iterator[Repository]:
    """An app with one web instance; it is destroyed at the end."""
    yield repository("shop").write(FILES).create()
    mini.ok("destroy", "--confirm", "shop", "-a", "shop")


def containers(mini: Mini, *options: str) -> list[str]:
    """Return the ids of this very app's containers: other tests have a shop on the same Docker."""
    return docker(
        "ps", "-q", *options, "--filter", f"label=mini.app={mini.api('/v1/apps/shop')['id']}"
    ).split()


def inspected(container: str) -> Any:
    return json.loads(docker("inspect", container))[0]


def test_a_container_has_no_privilege_and_limits(mini: Mini, shop: Repository) -> None:
    (web,) = containers(mini)
    found = inspected(web)
    assert_confined(found, network=network_of_shop(mini))
    labels = found["Config"]["Labels"]
    assert (labels["mini.name"], labels["mini.release"], labels["mini.type"]) == ("web.1", "v1", "web")
    assert found["Name"].startswith("/mini-shop-web.1-")


@pytest.mark.parametrize("words", [["web"], ["--", "sleep", "1000"]], ids=["a type", "a command"])
def test_a_one_off_is_confined_as_an_instance_is(mini: Mini, shop: Repository, words: list[str]) -> None:
    with mini.started(str(BIN / "mini"), "run", "-a", "shop", *words) as run:
        try:
            (one_off,) = eventually(lambda: _one_offs(mini), within=30)
            assert_confined(inspected(one_off), network=network_of_shop(mini))
        finally:
            run.terminate()
            run.communicate(timeout=30)
    eventually(lambda: _one_offs(mini) == [], within=30)


def network_of_shop(mini: Mini) -> str:
    return f"mini-{mini.api('/v1/apps/shop')['id']}"


def assert_confined(found: Any, *, network: str) -> None:
    """Assert that a container may do as little as it can, and is in that network alone."""
    host = found["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Init"] is True
    assert host["Privileged"] is False
    assert host["PidsLimit"] == 512
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["Binds"] is None
    assert found["Mounts"] == []
    assert not host["PortBindings"]
    assert host["PublishAllPorts"] is False
    assert not any((found["NetworkSettings"]["Ports"] or {}).values())
    assert host["NetworkMode"] == network
    assert list(found["NetworkSettings"]["Networks"]) == [network]


def test_a_container_reaches_no_control_port(mini: Mini, shop: Repository) -> None:
    server = mini.api("/v1/server")
    ports = [int(server[name].rpartition(":")[2]) for name in ("api", "http")]
    gateway = next(iter(inspected(containers(mini)[0])["NetworkSettings"]["Networks"].values()))["Gateway"]
    others = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    hosts = ["127.0.0.1", gateway, *(each for each in others if ":" not in each)]
    knock = f"""
import os, socket
for host in {hosts!r}:
    for port in {ports!r}:
        try: socket.create_connection((host, port), 1).close(); print("reached", host, port)
        except OSError: pass
print(os.path.exists("/var/run/docker.sock"), os.path.exists({str(mini.home)!r}))
"""
    assert docker("exec", containers(mini)[0], "python3", "-c", knock) == "False False"


def test_a_config_value_is_in_the_environment_of_instances_and_nowhere_else(
    mini: Mini, shop: Repository
) -> None:
    seen: list[str] = []
    over = threading.Event()
    watching = threading.Thread(target=_watch_commands, args=(seen, over))
    watching.start()
    try:
        said = [mini.ok("config", "set", f"SECRET={CANARY}", "-a", "shop")]
        shop.write({"more.txt": token_hex(4)}).commit("More")
        said.append(shop.push())
        said += [mini.ok(*each, "-a", "shop") for each in (["ps"], ["releases"], ["logs"], ["events"])]
    finally:
        over.set()
        watching.join()
    container = inspected(containers(mini)[0])
    assert f"SECRET={CANARY}" in container["Config"].pop("Env")
    build = docker("inspect", "-f", '{{index .Config.Labels "mini.image.build"}}', container["Image"])
    said.append(mini.ok("builds", "output", build, "-a", "shop"))
    kept = [path.read_text(errors="replace") for path in mini.home.rglob("*.log")]
    history = docker("history", "--no-trunc", container["Image"])
    image = json.dumps(json.loads(docker("image", "inspect", container["Image"])))
    for text in (*said, *kept, *seen, *_layers(container["Image"]), history, image, json.dumps(container)):
        assert CANARY not in text


def _watch_commands(seen: list[str], over: threading.Event) -> None:
    """Gather the arguments of all that runs on this machine and knows the canary."""
    while not over.is_set():
        for _, line in command_lines():
            arguments = line.decode(errors="replace")
            # The command line that a person typed is their own.
            if CANARY in arguments and "config\0set" not in arguments:
                seen.append(arguments)


def _layers(image: str) -> Iterator[str]:
    archive = subprocess.run(["docker", "save", image], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member) if member.isfile() and member.size < 10_000_000 else None
            if content is not None:
                yield content.read().decode(errors="replace")


def test_an_end_by_lack_of_memory_is_shown_as_such(mini: Mini, shop: Repository) -> None:
    mini.ok("scale", "hog=1", "--no-wait", "-a", "shop")
    eventually(lambda: "out of memory" in mini.ok("ps", "-a", "shop"), within=30)
    eventually(lambda: "out of memory" in mini.ok("logs", "-a", "shop"), within=30)
    mini.ok("scale", "hog=0", "-a", "shop")


def test_an_app_that_listens_on_another_port_is_told_which(mini: Mini, shop: Repository) -> None:
    shop.write({"web.py": WEB.replace('int(os.environ["PORT"])', "9999")}).commit("Another port")
    shop.try_push().refused(12, "listens on port 9999 but not on its PORT")
    assert mini.get("shop") == "v1"
    eventually(lambda: len(containers(mini, "-a")) == 1, within=30)


def test_a_rollback_to_an_image_that_was_removed_is_refused_before_it_takes_a_number(
    mini: Mini, shop: Repository
) -> None:
    first = inspected(containers(mini)[0])["Image"]
    shop.write({"web.py": f"# {token_hex(4)}\n{WEB}"}).commit("Second")
    shop.push()
    eventually(lambda: len(containers(mini, "-a")) == 1, within=30)
    docker("image", "rm", "--force", first)
    before = mini.json("releases", "-a", "shop")
    mini.run("rollback", "-a", "shop").refused(14, "v1", "gone", "Push")
    assert mini.json("releases", "-a", "shop") == before
    assert mini.get("shop") == "v2"


def test_a_run_has_a_terminal_and_leaves_no_container_whoever_is_killed(mini: Mini, shop: Repository) -> None:
    assert mini.ok("run", "-a", "shop", "--", "sh", "-c", "exit 0") == ""
    for killed in ("client", "control plane"):
        ours, theirs = pty.openpty()
        command = [str(BIN / "mini"), "run", "-a", "shop", "--", "sh", "-c", "test -t 0 && sleep 1000"]
        with subprocess.Popen(
            command, env=mini.environ, stdin=theirs, stdout=theirs, stderr=theirs
        ) as client:
            eventually(lambda: len(_one_offs(mini)) == 1, within=30)
            if killed == "client":
                client.kill()
            else:
                kill(mini.status()["pids"]["control"])
        os.close(ours)
        os.close(theirs)
        eventually(lambda: mini.run("server", "start").code == 0, within=30)
        eventually(lambda: _one_offs(mini) == [], within=30)
    assert mini.get("shop") == "v1"


def _one_offs(mini: Mini) -> list[str]:
    return containers(mini, "-a", "--filter", "label=mini.one-off=true")


@pytest.mark.parametrize("ended_by", ["builds cancel", "ctrl-c"])
def test_a_build_that_is_cancelled_ends_in_docker_too(mini: Mini, shop: Repository, ended_by: str) -> None:
    marker = token_hex(8)
    steps = f"FROM {PYTHON}\nLABEL mini.test.mark={marker}\nRUN echo {marker} && sleep 1000\n"
    shop.write({"Dockerfile": steps}).commit("Never built")
    with mini.started(str(BIN / "mini"), "push", cwd=shop.path) as push:
        build = eventually(lambda: _running_build(mini, printed=marker), within=30)
        if ended_by == "ctrl-c":
            os.killpg(push.pid, signal.SIGINT)
        else:
            mini.ok("builds", "cancel", build, "-a", "shop")
        push.communicate(timeout=30)
    assert push.returncode not in (0, None)
    eventually(lambda: marker not in docker("ps", "-a", "--no-trunc"), within=30)
    left = f"label=mini.test.mark={marker}"
    eventually(lambda: docker("image", "ls", "-aq", "--filter", left) == "", within=30)
    assert mini.get("shop") == "v1"


def _running_build(mini: Mini, *, printed: str) -> str:
    """Return the build that has begun to print, by itself and not by the name of a step."""
    running: list[str] = [row["id"] for row in mini.json("builds", "-a", "shop") if row["state"] == "running"]
    assert running
    output = mini.home / "outputs" / "builds" / f"{running[0]}.log"
    assert output.exists()
    assert printed in output.read_text().splitlines()
    return running[0]


def test_an_entrypoint_that_is_a_program_gets_the_words_of_procfile_and_run(
    mini: Mini, repository: Callable[[str], Repository]
) -> None:
    dockerfile = f'FROM {PYTHON}\nCOPY web.py /web.py\nENTRYPOINT ["python3"]\nCMD ["/web.py"]\n'
    app = repository("entry").write({"web.py": WEB, "Dockerfile": dockerfile, "Procfile": "web: /web.py\n"})
    app.create()
    assert mini.get("entry") == "v1"
    assert mini.ok("run", "--", "-c", "print(42)", cwd=app.path) == "42\n"
    mini.ok("destroy", "--confirm", "entry", cwd=app.path)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        pytest.param(
            "127.0.0.1", 8000, "listens on its PORT 8000 (the image's EXPOSE) only inside", id="loopback"
        ),
        pytest.param(
            "0.0.0.0", 9999, "on port 9999 but not on its PORT 8000 (the image's EXPOSE)", id="another"
        ),
    ],
)
def test_a_silent_port_is_named_as_the_image_exposes_it(
    mini: Mini, repository: Callable[[str], Repository], host: str, port: int, said: str
) -> None:
    listen = f"python3 -m http.server --bind {host} {port}"
    app = repository("exposes").write({"Dockerfile": f"FROM {PYTHON}\nEXPOSE 8000\nCMD {listen}\n"})
    app.commit()
    mini.ok("create", "exposes", cwd=app.path)
    app.try_push().refused(12, said)
    mini.ok("destroy", "--confirm", "exposes", cwd=app.path)


@pytest.mark.parametrize(
    "port", [pytest.param("8000", id="which knows it"), pytest.param("$PORT", id="which is told it")]
)
def test_a_web_of_the_procfile_is_asked_on_the_port_that_the_image_exposes(
    mini: Mini, repository: Callable[[str], Repository], port: str
) -> None:
    dockerfile = f"FROM {PYTHON}\nWORKDIR /srv\nRUN echo served > index.html\nEXPOSE 8000\n"
    procfile = f"web: python3 -m http.server --bind $HOST {port}\n"
    app = repository("exposed").write({"Dockerfile": dockerfile, "Procfile": procfile})
    app.create()
    assert mini.get("exposed") == "served\n"
    assert [row["port"] for row in mini.ps("exposed")] == [8000]
    mini.ok("destroy", "--confirm", "exposed", cwd=app.path)


def test_a_run_of_a_type_without_a_command_runs_the_images_own(
    mini: Mini, repository: Callable[[str], Repository]
) -> None:
    dockerfile = f'FROM {PYTHON}\nCOPY web.py /\nENTRYPOINT ["python3"]\nCMD ["/web.py"]\n'
    own = 'import os\nif os.environ["PS"].startswith("run."): print("its own"), exit()\n'
    app = repository("owncmd").write({"web.py": own + WEB, "Dockerfile": dockerfile}).create()
    assert mini.ok("run", "web", cwd=app.path) == "its own\n"
    assert mini.run("run", "web", "more", cwd=app.path).code == 125
    mini.ok("destroy", "--confirm", "owncmd", cwd=app.path)


def test_the_engine_is_shown_and_doctor_tells_of_docker(mini: Mini) -> None:
    assert mini.status()["engine"] == "docker"
    told = mini.run("doctor", "--json")
    findings = {each["check"]: each for each in json.loads(told.out)}
    assert "answers, API" in findings["docker"]["message"]
    assert findings["docker builds"]["message"] == "BuildKit is there to build images"
    assert findings["MINI_BASE_PYTHON"]["message"] == f"{PYTHON} is there"
