"""What a daemon says, read into values."""

import pytest

from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ExitStatus
from paas.engines.docker.labels import Owner
from paas.engines.docker.state import (
    ContainerJson,
    ImageConfig,
    container_of,
    exit_status,
    image_config_of,
    network_of,
)

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
        pytest.param(1, True, ExitStatus(1, out_of_memory=True), id="outlived by its leader, which failed"),
        pytest.param(0, True, ExitStatus(0), id="outlived by its leader"),
        pytest.param(143, True, ExitStatus(-15), id="ended by a signal, long after"),
        pytest.param(255, False, ExitStatus(255), id="no signal"),
    ],
)
def test_codes_are_what_a_shell_means_by_them(code: int, out_of_memory: bool, status: ExitStatus) -> None:
    assert exit_status(code, out_of_memory=out_of_memory) == status


def test_a_network_without_addresses_has_no_gateway() -> None:
    network = network_of({"Name": "none", "Labels": None, "IPAM": {"Config": None}})
    assert (network.subnets, network.gateway) == ((), "")


def test_an_image_says_what_it_runs() -> None:
    said = {"Cmd": ["srv.py"], "Entrypoint": ["python3", "-u"], "Env": ["A=1=1", "PATH=/opt/bin:/bin"]}
    told = image_config_of({"Config": said})  # type: ignore[typeddict-item]  # as it comes
    assert told == ImageConfig(("python3", "-u"), ("srv.py",), path="/opt/bin:/bin")


@pytest.mark.parametrize("cmd", [None, []])
def test_an_image_may_run_nothing(cmd: list[str] | None) -> None:
    assert image_config_of({"Config": {"Cmd": cmd, "Entrypoint": None}}) == ImageConfig((), ())
