"""Addresses for the networks of apps."""

from ipaddress import IPv4Network
from itertools import islice

from paas.engines.docker.subnets import POOL, candidates, gateway_of, routed

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
"""


def test_an_app_is_offered_the_same_subnet_again() -> None:
    assert next(candidates("shop", [])) == next(candidates("shop", []))
    assert IPv4Network(next(candidates("shop", []))).subnet_of(POOL)


def test_what_others_have_is_not_offered() -> None:
    first = next(candidates("shop", []))
    taken = [first, "172.17.0.0/16", "fd00::/64"]
    assert not any(
        IPv4Network(each).overlaps(IPv4Network(first)) for each in islice(candidates("shop", taken), 50)
    )


def test_a_machine_that_has_all_of_it_is_offered_nothing() -> None:
    assert list(candidates("shop", ["10.0.0.0/8"])) == []


def test_routes_of_the_machine_count_but_for_the_default() -> None:
    assert routed(ROUTES) == ["192.0.2.0/24", "10.0.0.0/8"]


def test_the_machine_takes_the_first_address() -> None:
    assert gateway_of("10.128.4.0/22") == "10.128.4.1"
