"""What a daemon says of containers, images and networks, read from its JSON into values. It asks nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from paas.domain.instance import ExitStatus
from paas.engines.docker.labels import Owner, owner_of

_SIGNALS_FROM, _SIGNALS_TO = 128, 128 + 64
_KILL = -9


class _State(TypedDict):
    Status: str
    Pid: int
    ExitCode: int
    OOMKilled: bool


class _Endpoint(TypedDict):
    IPAddress: str


class _Binding(TypedDict):
    HostPort: str


class _Networking(TypedDict):
    Networks: dict[str, _Endpoint] | None
    Ports: dict[str, list[_Binding] | None] | None


class _Labelled(TypedDict):
    Labels: dict[str, str] | None


class ContainerJson(TypedDict):
    """What is read of `GET /containers/ID/json`."""

    Id: str
    State: _State
    NetworkSettings: _Networking
    Config: _Labelled


class _Subnet(TypedDict, total=False):
    Subnet: str
    Gateway: str


class _Addresses(TypedDict):
    Config: list[_Subnet] | None


class NetworkJson(TypedDict):
    """What is read of `GET /networks/ID`."""

    Name: str
    Labels: dict[str, str] | None
    IPAM: _Addresses


class _ImageSettings(TypedDict):
    Cmd: list[str] | None
    Entrypoint: list[str] | None
    Env: NotRequired[list[str] | None]


class ImageJson(TypedDict):
    """What is read of `GET /images/ID/json`."""

    Config: _ImageSettings | None


@dataclass(frozen=True, slots=True)
class Version:
    """What a daemon says it is."""

    engine: str
    api: str


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says of itself."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    path: str = ""
    """Its PATH; empty where it sets none."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container at one moment."""

    id: str
    status: str
    """`created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`."""
    pid: int
    exit: ExitStatus
    """How it ended; meaningful once it has."""
    host: str
    """Its address in its network; empty where it has none."""
    published: int | None
    """The port of the host's loopback that leads to it."""
    owner: Owner

    @property
    def has_started(self) -> bool:
        """Whether it was ever started."""
        return self.status != "created"

    @property
    def is_over(self) -> bool:
        """Whether it ran and has ended."""
        return self.status in ("exited", "dead", "removing")


@dataclass(frozen=True, slots=True)
class Network:
    """One network."""

    name: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...]
    gateway: str
    """The host's own address in it; empty where the daemon does not say."""


def exit_status(code: int, *, out_of_memory: bool) -> ExitStatus:
    """Return how a container ended, of its code: its init says 128 + N of a signal N, as a shell does. Lack of memory
    may have killed a process of it that is not the first one, which then failed in its own way."""
    signalled = _SIGNALS_FROM < code <= _SIGNALS_TO
    number = _SIGNALS_FROM - code if signalled else code
    return ExitStatus(number, out_of_memory=out_of_memory and (number == _KILL or number > 0))


def container_of(answer: ContainerJson) -> ContainerState:
    """Return the container that `answer` tells of."""
    state, networking = answer["State"], answer["NetworkSettings"]
    hosts = [endpoint["IPAddress"] for endpoint in (networking["Networks"] or {}).values()]
    ports = [
        binding["HostPort"] for bindings in (networking["Ports"] or {}).values() for binding in bindings or []
    ]
    return ContainerState(
        id=answer["Id"],
        status=state["Status"],
        pid=state["Pid"],
        exit=exit_status(state["ExitCode"], out_of_memory=state["OOMKilled"]),
        host=next(filter(None, hosts), ""),
        published=int(ports[0]) if ports else None,
        owner=owner_of(answer["Config"]["Labels"] or {}),
    )


def network_of(answer: NetworkJson) -> Network:
    """Return the network that `answer` tells of."""
    ranges = answer["IPAM"]["Config"] or []
    return Network(
        name=answer["Name"],
        labels=answer["Labels"] or {},
        subnets=tuple(each["Subnet"] for each in ranges if "Subnet" in each),
        gateway=next((each["Gateway"] for each in ranges if "Gateway" in each), ""),
    )


def image_config_of(answer: ImageJson) -> ImageConfig:
    """Return what the image of `answer` says of itself."""
    config = answer["Config"] or {"Cmd": None, "Entrypoint": None}
    environment = dict(pair.split("=", 1) for pair in config.get("Env") or () if "=" in pair)
    return ImageConfig(
        tuple(config.get("Entrypoint") or ()), tuple(config.get("Cmd") or ()), environment.get("PATH", "")
    )
