"""The machine under the scenarios: its programs, ports and processes."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path


def alive(pid: int) -> bool:
    """Return whether a process of that pid runs, zombies aside."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def processes(*words: str) -> list[int]:
    """Return the processes that have all these words on their command line, those in containers too."""
    wanted = {word.encode() for word in words}
    return [pid for pid, line in command_lines() if wanted <= set(line.split(b"\0")) and alive(pid)]


def command_lines() -> Iterator[tuple[int, bytes]]:
    """Yield the pid and the command line, each word ended by a NUL, of every process there is."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield int(process.name), (process / "cmdline").read_bytes()


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def listens(port: int, *, host: str = "127.0.0.1") -> bool:
    """Return whether anything listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class LocalConnection(HTTPConnection):
    """HTTP over the unix socket of a server."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)
