"""Whoever is measured: how each is configured and started. All route 500 hosts, keep connections to the backend, give
each request an id, a trace and its time, write the forwarded headers anew, log every request in the same words, and
count. Each gets one worker, and its cheapest way to log.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from paas.domain.ids import AppId, InstanceId
from paas.domain.names import AppName
from paas.domain.route import Backend, RoutedApp, RoutingTable
from paas.router.table import write_atomically

CONFIGS = Path(__file__).parent
HOST = "shop.localhost"
APPS = (*(f"app-{number}" for number in range(499)), "shop")
"""What is routed; requests are for the last."""
_START_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """A contender at work."""

    name: str
    port: int
    pid: int


Contender = Callable[[Path, int], AbstractContextManager[Running]]


@contextmanager
def mini(folder: Path, backend: int) -> Iterator[Running]:
    """Our router as the control plane starts it; its log lines are read."""
    write_atomically(_table(backend), folder / "table.json")
    os.mkfifo(folder / "log")
    log = os.open(folder / "log", os.O_RDWR)
    threading.Thread(target=_drain, args=(log,), daemon=True).start()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        port = listener.getsockname()[1]
        argv = [sys.executable, "-I", "-m", "paas.router", "--index=0", f"--listen-fd={listener.fileno()}"]
        argv += [f"--table={folder / 'table.json'}", f"--control={folder / 'control'}"]
        argv += [f"--log-fifo={folder / 'log'}"]
        with _started(argv, port, pass_fds=(listener.fileno(),)) as process:
            yield Running("mini", port, process.pid)
    os.write(log, b"end\n")


@contextmanager
def haproxy(folder: Path, backend: int) -> Iterator[Running]:
    """HAProxy with one thread; its log goes to a ring in its own memory."""
    with _configured("haproxy.cfg", folder, backend, ["haproxy", "-db", "-q", "-f"]) as running:
        yield running


@contextmanager
def nginx(folder: Path, backend: int) -> Iterator[Running]:
    """nginx with one worker; its log is buffered."""
    with _configured("nginx.conf", folder, backend, ["nginx", "-e", "/dev/null", "-c"]) as running:
        yield running


@contextmanager
def caddy(folder: Path, backend: int) -> Iterator[Running]:
    """Caddy on one processor; its log goes to a file in memory."""
    with _configured(
        "Caddyfile", folder, backend, ["caddy", "run", "--adapter", "caddyfile", "--config"]
    ) as running:
        yield running


ALL: dict[str, Contender] = {"mini": mini, "haproxy": haproxy, "nginx": nginx, "caddy": caddy}


def available(names: Sequence[str]) -> list[str]:
    """Return those of `names` that this machine has; ours always."""
    return [name for name in names if name == "mini" or shutil.which(name)]


@contextmanager
def quick_backend(folder: Path) -> Iterator[Running]:
    """nginx as the app: answers at once, from memory, on connections that it never closes by itself."""
    folder.chmod(0o755)
    (folder / "big").write_bytes(os.urandom(1 << 20))
    with _configured("backend.conf", folder, 0, ["nginx", "-e", "/dev/null", "-c"]) as running:
        yield running


@contextmanager
def uvicorn_backend(folder: Path) -> Iterator[Running]:
    """A real app: uvicorn with a small ASGI function."""
    (folder / "answering.py").write_text(_ASGI)
    port = _free_port()
    argv = [sys.executable, "-m", "uvicorn", "--port", str(port), "--no-access-log", "--app-dir", str(folder)]
    with _started([*argv, "--log-level", "error", "answering:app"], port) as process:
        yield Running("uvicorn", port, process.pid)


_ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})
"""


@contextmanager
def _configured(name: str, folder: Path, backend: int, argv: list[str]) -> Iterator[Running]:
    port = _free_port()
    (folder / "hosts").write_text("".join(f"{app}.localhost shop\n" for app in APPS))
    (folder / "servers").write_text(_nginx_servers(port))
    text = (CONFIGS / name).read_text()
    for mark, value in {"@PORT@": str(port), "@BACKEND@": str(backend), "@FOLDER@": str(folder)}.items():
        text = text.replace(mark, value)
    (folder / name).write_text(text)
    with _started([*argv, str(folder / name)], port) as process:
        yield Running(argv[0], port, process.pid)


@contextmanager
def _started(
    argv: list[str], port: int, *, pass_fds: tuple[int, ...] = ()
) -> "Iterator[subprocess.Popen[bytes]]":
    environ = {**os.environ, "GOMAXPROCS": "1"}
    with subprocess.Popen(
        argv, pass_fds=pass_fds, env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _listening(process, port)
            yield process
        finally:
            process.terminate()


def _listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen on {port}.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _nginx_servers(port: int) -> str:
    listen = f"listen 127.0.0.1:{port}; location / {{ return 404; }}"
    return "".join(f"server {{ server_name {app}.localhost; {listen} }}\n" for app in APPS if app != "shop")


def _table(backend: int) -> RoutingTable:
    return RoutingTable(1, tuple(_app(name, backend) for name in APPS))


def _app(name: str, backend: int) -> RoutedApp:
    address = Backend(InstanceId(f"i-{name}"), "web.1", 1, f"127.0.0.1:{backend}")
    return RoutedApp(AppId(name), AppName(name), (f"{name}.localhost",), (address,))


def _drain(log: int) -> None:
    while not os.read(log, 1 << 20).endswith(b"end\n"):
        pass
    os.close(log)
