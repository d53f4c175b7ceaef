"""The engines that scenarios run on: how a server of each is started, and what it has on the machine.

A new engine joins the scenarios with one class here. Nothing here asks `mini` what it would rather hear from the machine.
"""

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Protocol

from tests.dockerd import NODE, PYTHON, docker
from tests.e2e.machine import alive

Row = Mapping[str, Any]
"""An instance as `mini ps --json` shows it."""


class Running(Protocol):
    """An instance that was started, told from every other one: equal to itself alone."""

    def is_alive(self) -> bool: ...

    def kill(self) -> None:
        """End it from outside, without a word to it or to mini."""
        ...

    def scratch(self) -> "Scratch":
        """Return what it writes to, which is to go with it."""
        ...


class Scratch(Protocol):
    """Where one instance writes. Equal to itself alone."""

    def exists(self) -> bool: ...


class Engine(Protocol):
    """What a scenario must know of an engine."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What a server of it is started with."""
        ...

    @property
    def host(self) -> str:
        """The address of this machine that its instances reach."""
        ...

    def running(self, row: Row) -> Running:
        """Return who is meant by a row."""
        ...

    def inhabitants(self, home: Path, home_id: str) -> dict[str, str]:
        """Return all that runs for a home but its planes, each with the id of its instance; builds have none."""
        ...

    def artifacts(self, home: Path, home_id: str) -> set[str]:
        """Return the artifacts that a home has."""
        ...

    def lose(self, home: Path, artifact: str) -> None:
        """Remove an artifact behind mini's back."""
        ...

    def remains(self, home: Path, home_id: str) -> list[str]:
        """Return what a home has on the machine beyond its own folder and its planes."""
        ...


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine."""

    pid: int

    def is_alive(self) -> bool:
        return alive(self.pid)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def scratch(self) -> Path:
        return Path(f"/proc/{self.pid}/cwd").readlink()


@dataclass(frozen=True, slots=True)
class Container:
    """A container of this machine's Docker; what is written in it goes with it."""

    id: str

    def is_alive(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.id, check=False) == "true"

    def kill(self) -> None:
        docker("kill", "--signal", "KILL", self.id)

    def scratch(self) -> "Container":
        return self

    def exists(self) -> bool:
        return docker("inspect", "--format", "{{.Id}}", self.id, check=False) == self.id


class Processes:
    """Instances as processes of this machine."""

    name = "process"
    settings: Mapping[str, str] = {"MINI_ENGINE": "process"}
    host = "127.0.0.1"

    def running(self, row: Row) -> Process:
        return Process(row["pid"])

    def inhabitants(self, home: Path, home_id: str) -> dict[str, str]:
        found = {}
        folder = f"{home}/".encode()
        for entry in Path("/proc").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if entry.name.isdigit() and alive(int(entry.name)):
                    variables = dict(
                        each.partition(b"=")[::2] for each in (entry / "environ").read_bytes().split(b"\0")
                    )
                    if variables.get(b"HOME", b"").startswith(folder):
                        found[entry.name] = variables.get(b"MINI_INSTANCE_ID", b"").decode()
        return found

    def artifacts(self, home: Path, home_id: str) -> set[str]:
        return {path.name for path in (home / "slugs").iterdir() if (path / "tree").exists()}

    def lose(self, home: Path, artifact: str) -> None:
        shutil.rmtree(home / "slugs" / artifact)

    def remains(self, home: Path, home_id: str) -> list[str]:
        return [f"process {pid}" for pid in self.inhabitants(home, home_id)]


class Containers:
    """Instances as containers of this machine's Docker, on the images that `.ci/docker` makes."""

    name = "docker"
    settings: Mapping[str, str] = {
        "MINI_ENGINE": "docker",
        "MINI_BASE_PYTHON": PYTHON,
        "MINI_BASE_NODE": NODE,
        "MINI_BASE_PLAIN": PYTHON,
    }

    @cached_property
    def host(self) -> str:
        """This machine's own address in Docker's first network: containers of every network reach it."""
        subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "bridge")
        return str(next(ip_network(subnet).hosts()))

    def running(self, row: Row) -> Container:
        return Container(row["container"])

    def inhabitants(self, home: Path, home_id: str) -> dict[str, str]:
        listed = docker("ps", "--no-trunc", *_of(home_id), "--format", '{{.ID}} {{.Label "mini.instance"}}')
        return dict(line.split() for line in listed.splitlines())

    def artifacts(self, home: Path, home_id: str) -> set[str]:
        chosen = f"label=mini.image.home={home_id}"
        return set(docker("image", "ls", "--no-trunc", "--quiet", "--filter", chosen).split())

    def lose(self, home: Path, artifact: str) -> None:
        docker("image", "rm", "--force", artifact)

    def remains(self, home: Path, home_id: str) -> list[str]:
        kinds: dict[str, tuple[str, ...]] = {
            "container": ("ps", "--all", "--quiet", *_of(home_id)),
            "network": ("network", "ls", "--quiet", *_of(home_id)),
        }
        found = [f"{kind} {id}" for kind, command in kinds.items() for id in docker(*command).split()]
        return found + [f"image {id}" for id in self.artifacts(home, home_id)]


def _of(home_id: str) -> tuple[str, str]:
    return "--filter", f"label=mini.home={home_id}"


PROCESSES = Processes()
ENGINES: Mapping[str, Callable[[], Engine]] = {"process": Processes, "docker": Containers}
