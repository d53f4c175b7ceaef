"""What a daemon says, read into values."""

import pytest

from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ExitStatus
from paas.engines.docker.labels import Owner
from paas.engines.docker.state import ContainerJson, container_of, exit_status, image_config_of, network_of

ANSWER: ContainerJson = {
    "Id": "abc",
    "State": {"Status": "exited", "Pid": 0, "ExitCode": 137, "OOMKilled": True},
    "NetworkSettings": {
        "Networks": {"mini": {"IPAddress": "10.128.0.2"}},
        "Ports": {"5000/tcp": [{"HostPort": "32768"}], "6000/tcp": None},
    },
    "Config": {
        "Labels": {"mini.app": "a", "mini.instance": "i", "mini.one-off": "true", "mini.port": "5000"}
    },
}


def test_a_container_is_read() -> None:
    state = container_of(ANSWER)
    assert (state.host, state.published, state.is_over, state.has_started) == (
        "10.128.0.2",
        32768,
        True,
        True,
    )
    assert state.owner == Owner(AppId("a"), InstanceId("i"), one_off=True, port=5000)
    assert state.exit == ExitStatus(-9, out_of_memory=True)


@pytest.mark.parametrize(
    ("code", "out_of_memory", "status"),
    [
        pytest.param(0, False, ExitStatus(0), id="in order"),
        pytest.param(143, False, ExitStatus(-15), id="by a signal"),
        pytest.param(137, False, ExitStatus(-9), id="killed"),
        pytest.param(1, True, ExitStatus(1), id="outlived by its leader"),
        pytest.param(255, False, ExitStatus(255), id="no signal"),
    ],
)
def test_codes_are_what_a_shell_means_by_them(code: int, out_of_memory: bool, status: ExitStatus) -> None:
    assert exit_status(code, out_of_memory=out_of_memory) == status


def test_a_network_without_addresses_has_no_gateway() -> None:
    network = network_of({"Name": "none", "Labels": None, "IPAM": {"Config": None}})
    assert (network.subnets, network.gateway) == ((), "")


@pytest.mark.parametrize(("cmd", "has"), [(["app"], True), (None, False), ([], False)])
def test_an_image_has_a_command_or_not(cmd: list[str] | None, has: bool) -> None:
    assert image_config_of({"Config": {"Cmd": cmd, "Entrypoint": None}}).has_command is has
