"""The TCP sockets that listen inside a container, read from the kernel's table for its processes. It makes no connection."""

from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"
_LOOPBACK_NET_4 = "7F"
_DOCKER_DNS = "0B00007F"
"""127.0.0.11, where Docker answers a container's name look-ups: none of the app's own."""
_LOOPBACK_6 = ("00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


@dataclass(frozen=True, slots=True)
class Listener:
    """One socket that listens. `reachable` is False where only the container itself can connect to it."""

    port: int
    reachable: bool


def listeners(pid: int) -> list[Listener]:
    """Return the sockets that listen in the network namespace of a process; none once it is gone."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            found += parse((Path("/proc") / str(pid) / "net" / table).read_text())
        except OSError:  # it has ended, or the kernel has no IPv6
            continue
    return found


def parse(table: str) -> list[Listener]:
    """Return the sockets that listen, of a table such as /proc/net/tcp (proc(5)): in hexadecimal, state in column 4."""
    rows = (line.split() for line in table.splitlines()[1:])
    sockets = (row[1].rpartition(":") for row in rows if len(row) > 3 and row[3] == _LISTEN)
    return [
        Listener(int(port, 16), not _is_loopback(address))
        for address, _, port in sockets
        if address != _DOCKER_DNS
    ]


def _is_loopback(address: str) -> bool:
    return (len(address) == 8 and address.endswith(_LOOPBACK_NET_4)) or address in _LOOPBACK_6
