"""Ports that instances are given: only those that nothing else of the machine has."""

import socket

import pytest

from paas.supervisor.free_ports import port_is_free


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_a_program_listens_on_is_not_free(host: str) -> None:
    with socket.create_server((host, 0)) as listener:
        port = listener.getsockname()[1]
        assert not port_is_free(port)
    assert port_is_free(port)
