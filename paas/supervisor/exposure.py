"""Which ports of this machine are open beyond loopback, as the kernel lists them. It knows nothing of who has them."""

from pathlib import Path

_LISTEN = "0A"
_LOOPBACK = {"0100007F": "127.0.0.1", "00000000000000000000000001000000": "::1"}
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def exposed_ports() -> frozenset[int]:
    """Return the TCP ports that something listens on at an address other than loopback. Blocks for a moment."""
    return frozenset(port for table in _TABLES if table.exists() for port in _exposed(table.read_text()))


def _exposed(table: str) -> list[int]:
    """Read the kernel's table (proc(5), /proc/net/tcp): address and port are hexadecimal, state is column 4."""
    rows = (line.split() for line in table.splitlines()[1:])
    local = (row[1].rpartition(":") for row in rows if len(row) > 3 and row[3] == _LISTEN)
    return [int(port, 16) for address, _, port in local if address not in _LOOPBACK]
