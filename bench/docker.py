"""Docker by mini beside Docker by hand: a change beside `docker-compose up --build`, a start beside `docker run`, and how
containers are reached: by their address beside by a published port."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.row import Row
from bench.stage import Mini, Repository, answering, stage
from tests.dockerd import PYTHON, docker

ROUNDS = 7
SLOW_ROUNDS = 3
RATE_ROUNDS = 3
PORT = 5000
PUBLISHED = 18_631
_PUBLISHED = ("127.0.0.1", PUBLISHED)
CHANGE_GOAL, START_GOAL = 0.5, 1.2

WEB = """
import http.server, os, signal, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        body = f"MARK {os.environ.get('PS')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server(("0.0.0.0", int(os.environ["PORT"])), Handler)
"""
ENDS_ON_TERM = (
    WEB
    + """
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
"""
)
NO_HANDLER = (
    WEB
    + """
server.serve_forever()
"""
)
"""What most people write. As the first process of a container it ignores SIGTERM: docker-compose waits its 10 s for it."""
COMPOSE = f"""
services:
  web:
    build: .
    environment: {{PORT: "{PORT}"}}
    ports: ["127.0.0.1:{PUBLISHED}:{PORT}"]
"""


def rows() -> Iterator[Row]:
    """Yield a row for each comparison; rounds are interleaved."""
    with stage({"MINI_ENGINE": "docker"}) as mini:
        shop = Repository(mini, mini.home.parent / "shop").write(files("round-0"))
        shop.commit()
        shop.push()
        yield _change(mini, shop, NO_HANDLER, rounds=SLOW_ROUNDS, app="an app without a SIGTERM handler")
        yield _change(mini, shop, ENDS_ON_TERM, rounds=ROUNDS, app="an app that ends at once on SIGTERM")
        yield from _start(mini)
        yield _reach()


def files(mark: str, web: str = ENDS_ON_TERM) -> dict[str, str]:
    """An app with a Dockerfile of its own, which both sides build by."""
    dockerfile = f'FROM {PYTHON}\nCOPY web.py /web.py\nCMD ["python3", "/web.py"]\n'
    return {"web.py": web.replace("MARK", mark), "Dockerfile": dockerfile}


def _change(mini: Mini, shop: Repository, web: str, *, rounds: int, app: str) -> Row:
    ours, theirs = [], []
    folder = Path(tempfile.mkdtemp(prefix="composed.", dir=mini.home.parent))
    (folder / "docker-compose.yml").write_text(COMPOSE)
    marks = [f"{folder.name}-{number}" for number in range(rounds + 1)]
    try:
        _push(mini, shop, files(marks[0], web), marks[0])
        _compose(folder, files(marks[0], web), marks[0])
        for mark in marks[1:]:
            ours.append(_push(mini, shop, files(mark, web), mark))
            theirs.append(_compose(folder, files(mark, web), mark))
    finally:
        _run("docker-compose", "down", "--rmi", "local", cwd=folder)
    what = f"one-line change of {app}, push to answer"
    return Row(what, "docker-compose up -d --build", "s", ours, theirs, CHANGE_GOAL)


def _push(mini: Mini, shop: Repository, changed: dict[str, str], mark: str) -> float:
    shop.write(changed).commit(mark)
    address = mini.http
    began = time.perf_counter()
    shop.push()
    answering(address, "shop", mark)
    return time.perf_counter() - began


def _compose(folder: Path, changed: dict[str, str], mark: str) -> float:
    for name, text in changed.items():
        (folder / name).write_text(text)
    began = time.perf_counter()
    _run("docker-compose", "up", "-d", "--build", cwd=folder)
    answering(_PUBLISHED, "shop", mark)
    return time.perf_counter() - began


def _start(mini: Mini) -> Iterator[Row]:
    ours, isolated, published = [], [], []
    image = docker("inspect", "-f", "{{.Image}}", _containers()[0])
    with _network() as (network, address):
        for _ in range(ROUNDS):
            isolated.append(_run_plainly(image, (address, PORT), "--network", network, "--ip", address))
            ours.append(_scale(mini))
            published.append(_run_plainly(image, _PUBLISHED, "-p", f"127.0.0.1:{PUBLISHED}:{PORT}"))
    what = "scale web+1 to up"
    yield Row(what, "docker run -d in a network of its own", "s", ours, isolated, START_GOAL)
    yield Row(what, "docker run -d -p in the network of all", "s", ours, published, START_GOAL)


def _scale(mini: Mini) -> float:
    """Return how long it takes until the command has seen the new instance listen and be routed to."""
    began = time.perf_counter()
    mini.ok("scale", "web+1", "-a", "shop")
    took = time.perf_counter() - began
    answering(mini.http, "shop", "web.2")
    mini.ok("scale", "web=1", "-a", "shop")
    return took


def _run_plainly(image: str, address: tuple[str, int], *options: str) -> float:
    began = time.perf_counter()
    container = docker("run", "-d", *options, "-e", f"PORT={PORT}", image)
    answering(address, "shop", "None")
    took = time.perf_counter() - began
    docker("rm", "-f", container)
    return took


@contextmanager
def _network() -> Iterator[tuple[str, str]]:
    """Yield a network such as an app has, and an address in it."""
    docker("network", "create", "--subnet", "10.255.252.0/24", "mini-bench")
    try:
        yield "mini-bench", "10.255.252.9"
    finally:
        docker("network", "rm", "mini-bench")


def _reach() -> Row:
    image = docker("inspect", "-f", "{{.Image}}", _containers()[0])
    container = docker("run", "-d", "-p", f"127.0.0.1:{PUBLISHED}:{PORT}", "-e", f"PORT={PORT}", image)
    try:
        answering(_PUBLISHED, "shop", "None")
        inside = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container)
        ours, theirs = [], []
        for _ in range(RATE_ROUNDS):
            ours.append(_rate(f"http://{inside}:{PORT}/"))
            theirs.append(_rate(f"http://127.0.0.1:{PUBLISHED}/"))
    finally:
        docker("rm", "-f", container)
    return Row(
        "a container by its address", "by a published port", "requests/s", ours, theirs, more_is_better=True
    )


def _rate(url: str) -> float:
    said = _run("wrk", "-t1", "-c16", "-d3", url)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    return float(found[1])


def _containers() -> list[str]:
    return docker("ps", "-q", "--filter", "label=mini.app-name=shop").split()


def _run(*argv: str, cwd: Path | None = None) -> str:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=True).stdout
