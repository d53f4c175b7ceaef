"""TCP sockets that listen, and to which processes they belong. It only looks: no connection is ever made."""

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from paas.engines.process import proc

_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI HH32xIII")
"""`struct inet_diag_req_v2`: family, protocol, extensions, states; the socket wanted, of which the port alone counts."""
_ANSWER = struct.Struct("=4x H2x 16s 44x I")
"""`struct inet_diag_msg`, of which the port, the address and the inode count here."""
_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_MESSAGE_ERROR = 2
_MESSAGE_DONE = 3
_LISTEN = 10
_ANY_COOKIE = 0xFFFFFFFF
_LOOPBACK_6 = "0" * 31 + "1"


@dataclass(frozen=True, slots=True)
class Listener:
    """One socket that listens."""

    host: str
    port: int
    inode: int

    @property
    def address(self) -> str:
        """`HOST:PORT` by which it is reached from this machine."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listeners(port: int = 0) -> list[Listener]:
    """Return the sockets of this network namespace that listen on `port`, or on any; those on IPv4 first.

    The kernel is asked over netlink (sock_diag(7)), since /proc/net makes it walk every connection's bucket.
    """
    try:
        return [*_ask(socket.AF_INET, port), *_ask(socket.AF_INET6, port)]
    except OSError:
        return listeners_by_table(port)


def listeners_by_table(port: int = 0) -> list[Listener]:
    """Return the same from /proc/net, for kernels without sock_diag."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            with Path("/proc/net", table).open() as lines:
                next(lines)
                found += list(_listening(lines))
        except FileNotFoundError:  # a kernel without IPv6
            continue
    return [listener for listener in found if port in (0, listener.port)]


def inodes(pids: Iterable[int]) -> set[int]:
    """Return the sockets that any of these processes holds open."""
    return {inode for pid in pids for link in proc.descriptors(pid) if (inode := _inode(link)) is not None}


def _ask(family: int, port: int) -> list[Listener]:
    request = _REQUEST.pack(
        family, socket.IPPROTO_TCP, 0, 1 << _LISTEN, socket.htons(port), 0, 0, _ANY_COOKIE, _ANY_COOKIE
    )
    head = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.send(head + request)
        return [_answered(family, body) for body in _answers(kernel)]


def _answers(kernel: socket.socket) -> Iterator[bytes]:
    while True:
        block = kernel.recv(64 * 1024)
        while block:
            length, kind, *_ = _HEADER.unpack_from(block)
            if kind == _MESSAGE_DONE:
                return
            if kind == _MESSAGE_ERROR:
                raise OSError("the kernel does not tell which sockets listen")
            yield block[_HEADER.size : length]
            block = block[length:]


def _answered(family: int, body: bytes) -> Listener:
    port, host, inode = _ANSWER.unpack_from(body)
    return Listener(_reachable(host[: 4 if family == socket.AF_INET else 16]), socket.ntohs(port), inode)


def _listening(lines: Iterable[str]) -> Iterator[Listener]:
    """Read the head of a table: the kernel lists the sockets that listen before all others."""
    for line in lines:
        fields = line.split()
        if int(fields[3], 16) != _LISTEN:
            return
        digits, _, port = fields[1].partition(":")
        words = (bytes.fromhex(digits[start : start + 8]) for start in range(0, len(digits), 8))
        host = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
        yield Listener(_reachable(host), int(port, 16), int(fields[9]))


def _reachable(host: bytes) -> str:
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not address.is_unspecified:
        return str(address)
    return "::1" if address.version == 6 and _has_loopback_6() else "127.0.0.1"


def _has_loopback_6() -> bool:
    try:
        return _LOOPBACK_6 in Path("/proc/net/if_inet6").read_text()
    except FileNotFoundError:
        return False


def _inode(link: Path) -> int | None:
    try:
        target = str(link.readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return int(target[len("socket:[") : -1]) if target.startswith("socket:[") else None
