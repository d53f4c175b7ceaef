"""Which sockets of a container can be reached from outside it."""

import pytest

from paas.engines.docker.listening import Listener, parse

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, state: str = "0A") -> str:
    return (
        f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
    )


@pytest.mark.parametrize(
    ("address", "found"),
    [
        pytest.param("00000000:1F90", [Listener(8080, True)], id="everywhere"),
        pytest.param("020A0A0A:1F90", [Listener(8080, True)], id="its own address"),
        pytest.param("0100007F:1F90", [Listener(8080, False)], id="loopback"),
        pytest.param("0B00007F:9C41", [], id="Docker's name server"),
        pytest.param("0" * 32 + ":1F90", [Listener(8080, True)], id="everywhere, IPv6"),
        pytest.param("0" * 24 + "01000000:1F90", [Listener(8080, False)], id="loopback, IPv6"),
    ],
)
def test_a_listener_is_read_with_its_reach(address: str, found: list[Listener]) -> None:
    assert parse(HEAD + row(address)) == found


def test_a_connection_is_no_listener() -> None:
    assert parse(HEAD + row("00000000:1F90", state="01")) == []
