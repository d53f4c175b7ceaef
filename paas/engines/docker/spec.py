"""What a container is made of, as values in the words of Docker's API. Pure: nothing here talks to a daemon."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from paas.domain.build import Image
from paas.domain.ids import AppId
from paas.domain.instance import InstanceSpec
from paas.engines.base import TerminalSize
from paas.engines.docker import labels
from paas.engines.docker.state import ImageConfig
from paas.errors import ArtifactGoneError, InvalidError

PIDS_LIMIT = 512
LOG_FILE_SIZE = "10m"
LOG_FILES = "3"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside its own network namespace, where the router must reach it
LOOPBACK = "127.0.0.1"

_SHELL = "/bin/sh"
_WHOLE_GROUP = "TINI_KILL_PROCESS_GROUP"
"""Tells the container's init to pass signals on to a whole process group, not to its child alone (tini 0.19)."""

_PREPARED = f"""\
unset {_WHOLE_GROUP}
export TMPDIR="${{TMPDIR:-/tmp}}\""""
"""What every command finds in its environment: a TMPDIR, the image's own where that has one."""

_LEADER = f"""\
{_PREPARED}
trap stopping=yes TERM
exec 3>&1 2>/dev/null
"$@" >&3 2>&3 3>&-
code=$?
[ "$stopping" ] && while kill -0 -1 && sleep 0.05; do :; done
exit $code"""
"""Runs the command with both outputs in one, so that their order is kept, and outlives it while a stop is under way:
a container ends with its leader, and what still finishes its work in there would have no grace."""

_ONE_OFF_LEADER = f"""\
{_PREPARED}
[ "$1" ] && stty rows "$1" cols "$2" 2>/dev/null
shift 2
exec "$@\""""
"""Runs the command on a terminal that has its size before the command looks: Docker sets it a moment later."""

LEADER_NAME = "mini"
"""What the shells here call themselves: their `$0`."""

_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_EXEC = re.compile(r"^\s*exec\s+")
_SYNTAX = re.compile(
    r"""[();<>|&`\n"'\\]"""  # an operator, or a quote that nothing closes
    r"""|^\s*(\w+=|(cd|eval|export|set|trap|ulimit|umask|unset|[!:.])(\s|$))"""
)

Config = Mapping[str, object]
"""The body of `POST /containers/create`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one container may take. 0 is no limit."""

    memory_mib: int = 0
    pids: int = PIDS_LIMIT
    stop_grace: float = 30.0
    """Seconds that it has to end where it is not mini that stops it: the daemon's own shutdown, `docker stop`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container is put: its network, and whether its port is to be found on the host's loopback too."""

    network: str
    published: bool = False


def container_name(spec: InstanceSpec) -> str:
    """Return the container's name. It ends in the instance's id: the daemon itself refuses to make it twice."""
    return f"mini-{spec.app_name}-{spec.name}-{spec.id}"


def network_name(app: AppId) -> str:
    """Return the name of an app's network, which outlives the app's own name."""
    return f"mini-{app}"


def image_of(spec: InstanceSpec) -> Image:
    """Return the image of `spec`; raises ArtifactGoneError where its artifact was built for another engine."""
    if not isinstance(spec.artifact, Image):
        raise ArtifactGoneError(
            f"{spec.app_name} v{spec.version} was built for another engine. Push its commit again."
        )
    return spec.artifact


def port_of(spec: InstanceSpec) -> int | None:
    """Return the port that the instance listens on inside its container, which has all ports to itself."""
    return spec.port and (image_of(spec).port or spec.port)


def program(command: str, entrypoint: tuple[str, ...]) -> list[str]:
    """Return the words that run `command` behind an image's ENTRYPOINT.

    The ENTRYPOINT gets the command's own words, as a shell reads and expands them; what only a shell can run it gets
    as `/bin/sh -c COMMAND`.
    """
    if not entrypoint:
        return [_SHELL, "-c", command]
    words = _EXEC.sub("", command)  # an ENTRYPOINT has no shell that would have to make way
    if _SYNTAX.search(_QUOTED.sub("", words)):
        return [*entrypoint, _SHELL, "-c", command]
    return [_SHELL, "-c", f'exec "$@" {words}', LEADER_NAME, *entrypoint]


def instance_config(
    spec: InstanceSpec, place: Place, *, home_id: str, limits: Limits, image: ImageConfig
) -> Config:
    """Return the container of a supervised instance."""
    base = _config(spec, home_id=home_id, leader=(_LEADER,), image=image, one_off=False)
    host = {
        **_host(place, limits),
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": LOG_FILE_SIZE, "max-file": LOG_FILES},
        },
    }
    config = {**base, "StopTimeout": math.ceil(limits.stop_grace), "HostConfig": host}
    port = port_of(spec)
    if not (place.published and port):
        return config
    inside = f"{port}/tcp"
    bindings = {inside: [{"HostIp": LOOPBACK, "HostPort": ""}]}
    return {**config, "ExposedPorts": {inside: {}}, "HostConfig": {**host, "PortBindings": bindings}}


def one_off_config(
    spec: InstanceSpec,
    place: Place,
    *,
    home_id: str,
    limits: Limits,
    image: ImageConfig,
    terminal: TerminalSize | None,
) -> Config:
    """Return the container of a one-off, whose output nobody but its caller keeps."""
    size = (str(terminal.rows), str(terminal.columns)) if terminal else ("", "")
    leader = (_ONE_OFF_LEADER, *size)
    return {
        **_config(spec, home_id=home_id, leader=leader, image=image, one_off=True),
        "HostConfig": {**_host(place, limits), "LogConfig": {"Type": "none", "Config": {}}},
        "Tty": terminal is not None,
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
    }


def _config(
    spec: InstanceSpec, *, home_id: str, leader: tuple[str, ...], image: ImageConfig, one_off: bool
) -> dict[str, object]:
    config: dict[str, object] = {
        "Image": image_of(spec).digest,
        "Env": [f"{key}={value}" for key, value in sorted(_environment(spec, image).items())],
        "Labels": labels.of_instance(spec, port=port_of(spec), home_id=home_id, one_off=one_off),
        "AttachStdout": True,
        "AttachStderr": True,
    }
    if command := command_of(spec):
        script, *arguments = leader
        config["Entrypoint"] = [_SHELL, "-c", script, LEADER_NAME, *arguments]
        config["Cmd"] = program(command, image.entrypoint)
    return config


def _host(place: Place, limits: Limits) -> dict[str, object]:
    memory = limits.memory_mib * 1024 * 1024
    return {
        "NetworkMode": place.network,
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": limits.pids,
        "Memory": memory,
        "MemorySwap": memory,
        "RestartPolicy": {"Name": "no"},
    }


def command_of(spec: InstanceSpec) -> str | None:
    """Return the command of `spec`; None where the image's own CMD is meant.

    Raises InvalidError for a command that nothing can run.
    """
    if not spec.command:
        return None
    if not spec.command.strip() or "\0" in spec.command:
        raise InvalidError(
            f"The command of {spec.name} is blank or holds a NUL byte: write it in the Procfile."
        )
    return spec.command


def _environment(spec: InstanceSpec, image: ImageConfig) -> dict[str, str]:
    """Return the variables: HOST is a default that config may override, the init's own switch is none, and the image's
    PATH stays in front of the config's."""
    port = {"PORT": str(port_of(spec))} if spec.port else {}
    given = dict(spec.environment)
    path = {"PATH": f"{image.path}:{given['PATH']}"} if image.path and "PATH" in given else {}
    return {"HOST": EVERYWHERE, **given, **path, **port, _WHOLE_GROUP: "1"}
