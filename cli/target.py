"""Which server a command talks to. It says where, and starts the local one; it never sends a request."""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from paas.errors import InvalidError, UnreachableError
from paas.paths import Paths, home_from

_CONNECT_LIMIT = 5.0


class LocalTarget(NamedTuple):
    """The server of a state directory on this machine, behind its unix socket."""

    paths: Paths

    @property
    def socket(self) -> Path:
        return self.paths.control_socket

    def answers(self) -> bool:
        """Return whether the control plane listens on its socket."""
        return _listens(self.socket)

    def left_planes(self) -> bool:
        """Return whether another plane of the server runs: one whose control plane was killed leaves them."""
        return _listens(self.paths.log_socket) or _listens(self.paths.router_socket(0))

    def __str__(self) -> str:
        return str(self.socket)


class RemoteTarget(NamedTuple):
    """A server over TCP, as MINI_URL and MINI_TOKEN name it."""

    host: str
    port: int
    token: str
    tls: bool

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


Target = LocalTarget | RemoteTarget


def target_from(environ: Mapping[str, str]) -> Target:
    """Return the server that `environ` names: MINI_URL, else the local one; raises InvalidError for a bad URL."""
    if url := environ.get("MINI_URL"):
        return _remote(url, token=environ.get("MINI_TOKEN", ""))
    return LocalTarget(Paths(home_from(environ)))


def is_ready(target: Target) -> bool:
    """Return whether a server can be asked: a local one that does not run cannot."""
    return isinstance(target, RemoteTarget) or target.answers()


def reach(environ: Mapping[str, str], *, say: Callable[[str], None], start: bool = True) -> Target:
    """Return the server that `environ` names, ready to be asked.

    A local one that does not run is started, and `say` is told so. Raises UnreachableError where it cannot be
    started, or may not be (`start=False`, or MINI_NO_START=1).
    """
    target = target_from(environ)
    if isinstance(target, RemoteTarget) or target.answers():
        return target
    if not start or environ.get("MINI_NO_START", "") not in ("", "0"):
        raise UnreachableError(f"No server runs on {target.paths.home}. Start it with `mini server start`.")
    from cli.starter import start_server

    say(f"Starting the server of {target.paths.home} …")
    start_server(target, environ)
    return target


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_LIMIT)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _remote(url: str, *, token: str) -> RemoteTarget:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidError(f"MINI_URL must be like http://127.0.0.1:8600; got {url!r}.")
    tls = parts.scheme == "https"
    return RemoteTarget(host=parts.hostname, port=port or (443 if tls else 8600), token=token, tls=tls)
