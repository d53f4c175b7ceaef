"""Containers as values: what an instance, a one-off and a network are made of."""

from dataclasses import replace
from typing import cast

import pytest

from paas.domain.build import Slug
from paas.engines.base import TerminalSize
from paas.engines.docker.spec import (
    Config,
    Limits,
    Place,
    container_name,
    instance_config,
    one_off_config,
    program,
)
from paas.engines.docker.state import ImageConfig
from paas.errors import ArtifactGoneError, InvalidError
from tests.unit.paas.engines.docker.specs import WEB, own_command

NETWORK = Place("mini-00000000000000a1")


def made(spec: object = WEB, place: Place = NETWORK, limits: Limits = Limits()) -> Config:  # noqa: B008 - a value
    return instance_config(spec, place, home_id="h0me", limits=limits, image=ImageConfig())  # type: ignore[arg-type]  # any spec


def host_of(config: Config) -> dict[str, object]:
    return cast("dict[str, object]", config["HostConfig"])


def environment_of(config: Config) -> list[str]:
    return cast("list[str]", config["Env"])


def test_a_container_is_confined() -> None:
    assert host_of(made()) == {
        "NetworkMode": "mini-00000000000000a1",
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 512,
        "Memory": 0,
        "MemorySwap": 0,
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    }


def test_a_container_says_whose_it_is() -> None:
    assert container_name(WEB) == "mini-shop-web.2-00000000000000c1"
    assert made()["Labels"] == {
        "mini.home": "h0me",
        "mini.app": "00000000000000a1",
        "mini.instance": "00000000000000c1",
        "mini.one-off": "false",
        "mini.port": "20001",
        "mini.app-name": "shop",
        "mini.name": "web.2",
        "mini.release": "v7",
        "mini.type": "web",
    }


def test_config_is_in_the_environment_and_never_in_the_command() -> None:
    config = made()
    assert "SECRET=s3cr3t" in environment_of(config)
    assert "s3cr3t" not in str(config["Cmd"])


def test_an_app_is_told_to_listen_where_the_router_reaches_it() -> None:
    assert "HOST=0.0.0.0" in environment_of(made())
    chosen = replace(WEB, environment=(("HOST", "::"),))
    assert "HOST=::" in environment_of(made(chosen))


def test_the_command_runs_in_a_shell_in_place_of_the_images_own() -> None:
    config = made()
    assert config["Cmd"] == ["/bin/sh", "-c", WEB.command]
    shell, option, _, name = cast("list[str]", config["Entrypoint"])
    assert (shell, option, name) == ("/bin/sh", "-c", "mini")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("srv.py", id="a word"),
        pytest.param("-c 'print(42)'", id="an operator within quotes"),
        pytest.param('-m http.server "$PORT" ${MORE:-}', id="variables"),
        pytest.param(r"find -exec x \;", id="an operator that is escaped"),
        pytest.param("executable", id="a word that begins like the shell's own"),
    ],
)
def test_an_entrypoint_gets_the_words_of_the_command(command: str) -> None:
    words = ["/bin/sh", "-c", f'exec "$@" {command}', "mini", "python3", "-u"]
    assert program(command, ("python3", "-u")) == words


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("migrate && serve", id="and"),
        pytest.param("serve >log", id="a redirection"),
        pytest.param("serve $(nproc)", id="a substitution"),
        pytest.param("serve `nproc`", id="backticks"),
        pytest.param("migrate\nserve", id="two lines"),
        pytest.param("DEBUG=1 serve", id="an assignment"),
        pytest.param("cd /app", id="a word of the shell's own"),
        pytest.param("serve 'it", id="an open quote"),
    ],
)
def test_an_entrypoint_gets_a_shell_for_what_only_a_shell_can_run(command: str) -> None:
    assert program(command, ("/entry.sh",)) == ["/entry.sh", "/bin/sh", "-c", command]


def test_an_entrypoint_is_in_the_shells_place_by_itself() -> None:
    assert program("exec srv.py", ("python3",)) == program("srv.py", ("python3",))


def test_without_a_command_the_image_runs_its_own() -> None:
    assert not {"Cmd", "Entrypoint"} & set(made(own_command()))


@pytest.mark.parametrize(("own", "port"), [(None, "20001"), (3000, "3000")], ids=["PORT", "EXPOSE"])
def test_the_port_inside_is_the_one_that_the_image_names(own: int | None, port: str) -> None:
    config = made(own_command(own), Place("net", published=True))
    assert f"PORT={port}" in environment_of(config)
    assert config["ExposedPorts"] == {f"{port}/tcp": {}}
    assert host_of(config)["PortBindings"] == {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}


@pytest.mark.parametrize(
    ("image", "path"),
    [
        pytest.param(
            ImageConfig(path="/opt/venv/bin:/bin"), "/opt/venv/bin:/bin:/mine", id="the image's in front"
        ),
        pytest.param(ImageConfig(), "/mine", id="none of the image's"),
    ],
)
def test_a_path_of_the_config_does_not_hide_the_programs_of_the_image(image: ImageConfig, path: str) -> None:
    spec = replace(WEB, environment=(("PATH", "/mine"),))
    config = instance_config(spec, NETWORK, home_id="h0me", limits=Limits(), image=image)
    assert f"PATH={path}" in environment_of(config)


def test_a_port_is_published_only_where_the_network_is_out_of_reach() -> None:
    assert "PortBindings" not in host_of(made())


def test_memory_is_limited_with_its_swap() -> None:
    host = host_of(made(limits=Limits(memory_mib=256)))
    assert host["Memory"] == host["MemorySwap"] == 256 * 1024 * 1024


def test_what_else_stops_it_is_told_of_its_grace() -> None:
    assert made(limits=Limits(stop_grace=2.5))["StopTimeout"] == 3


@pytest.mark.parametrize("command", [" ", "echo a\0b"], ids=["blank", "NUL"])
def test_a_command_that_nothing_can_run_is_refused(command: str) -> None:
    with pytest.raises(InvalidError):
        made(replace(WEB, command=command))


def test_a_slug_is_none_of_this_engines_artifacts() -> None:
    with pytest.raises(ArtifactGoneError):
        made(replace(WEB, artifact=Slug("key")))


@pytest.mark.parametrize("terminal", [None, TerminalSize(33, 99)], ids=["pipes", "terminal"])
def test_a_one_off_has_its_input_open_and_no_log_of_its_own(terminal: TerminalSize | None) -> None:
    config = one_off_config(
        WEB, NETWORK, home_id="h0me", limits=Limits(), image=ImageConfig(), terminal=terminal
    )
    assert (config["Tty"], config["OpenStdin"], config["StdinOnce"]) == (terminal is not None, True, True)
    assert host_of(config)["LogConfig"] == {"Type": "none", "Config": {}}
    assert cast("dict[str, str]", config["Labels"])["mini.one-off"] == "true"
