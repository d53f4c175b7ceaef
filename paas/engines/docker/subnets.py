"""Which addresses an app's network gets. Pure. Docker's own pools end after about thirty networks, so mini has its own."""

import zlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, ip_network

POOL = IPv4Network("10.128.0.0/9")
PREFIX = 22
"""Room for 1021 instances; a Linux bridge has 1023 ports."""

_SIZE = 1 << (32 - PREFIX)
_COUNT = POOL.num_addresses // _SIZE


def candidates(app: str, taken: Iterable[str]) -> Iterator[str]:
    """Yield the subnets that an app may have and nobody has yet, beginning at a place of the app's own."""
    others = [net for each in taken if isinstance(net := ip_network(each, strict=False), IPv4Network)]
    first = zlib.crc32(app.encode())
    for step in range(_COUNT):
        number = (first + step) % _COUNT
        subnet = IPv4Network((int(POOL.network_address) + number * _SIZE, PREFIX))
        if not any(subnet.overlaps(other) for other in others):
            yield str(subnet)


def gateway_of(subnet: str) -> str:
    """Return the address in a subnet that is the machine's own."""
    return str(IPv4Network(subnet).network_address + 1)


def routed(table: str) -> list[str]:
    """Return the networks that this machine has routes to, of /proc/net/route (route(8)); the default route is none."""
    found = []
    for row in (line.split() for line in table.splitlines()[1:]):
        address, mask = (bytes.fromhex(row[column])[::-1] for column in (1, 7))
        if any(mask):
            found.append(str(IPv4Network((address, bin(int.from_bytes(mask, "big")).count("1")))))
    return found
