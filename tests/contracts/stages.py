"""Stages: what the contract suite needs to know of an engine. A new engine joins the suite with one class here."""

import json
import os
import random
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Protocol

from paas.clock import SystemClock
from paas.domain.build import Artifact, Image, Slug
from paas.domain.ids import AppId, Commit, InstanceId, new_id
from paas.domain.instance import ContainerIdentity, ExitStatus, Identity, InstanceSpec, ProcessIdentity
from paas.domain.names import AppName, ProcessType
from paas.engines.base import Engine
from paas.engines.docker import DockerEngine
from paas.engines.docker.spec import container_name
from paas.engines.process import ProcessEngine, proc
from paas.settings import Settings
from paas.testing.behaviour import Behaviour
from paas.testing.engine import FakeEngine
from tests.dockerd import docker, image_with
from tests.slugs import make_slug

Exits = list[tuple[InstanceId, ExitStatus]]


class Stage(Protocol):
    """One engine and the little world around it."""

    exits: Exits
    """What the engine's listener was told."""

    @property
    def engine(self) -> Engine: ...

    def spec(self, behaviour: Behaviour, *, port: int | None = None) -> InstanceSpec:
        """Return a new instance of an app that behaves so."""
        ...

    def printed(self, spec: InstanceSpec) -> str:
        """Return what the instance has printed since the last call."""
        ...

    def reached_at(self, spec: InstanceSpec) -> str:
        """Return the address at which an instance that listens on its port is reached."""
        ...

    def runs(self, identity: Identity) -> bool:
        """Return whether its leader runs."""
        ...

    def lose(self, artifact: Artifact) -> None:
        """Let an artifact be gone."""
        ...

    def occupy(self, port: int) -> None:
        """Let a foreign process listen on a port."""
        ...

    async def restart(self) -> None:
        """Replace the engine by the one of the next control plane; it has not recovered anything yet."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...


def free_port() -> int:
    """Return a port that nobody listens on now, nor on the one above it, outside the range of outgoing connections."""
    while True:
        port = random.randrange(10_000, 19_000)
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 1)):
                return port
        except OSError:
            continue


class _Outputs:
    """The FIFOs of instances, held open and read as the log plane does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[Path, int] = {}

    def new(self) -> Path:
        path = self._folder / f"{new_id()}.fifo"
        os.mkfifo(path, 0o600)
        self._open[path] = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        return path

    def read(self, path: Path) -> str:
        try:
            return os.read(self._open[path], 65536).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)


def _spec(command: str, artifact: Artifact, *, port: int | None, output: Path) -> InstanceSpec:
    return InstanceSpec(
        id=InstanceId(new_id()),
        app=AppId(new_id()),
        app_name=AppName("shop"),
        version=1,
        commit=Commit("0" * 40),
        type=ProcessType("web"),
        index=1,
        command=command,
        artifact=artifact,
        environment=(("PORT", str(port)),) if port else (),
        port=port,
        output=output,
    )


class FakeStage:
    """The engine that acts in memory."""

    def __init__(self, folder: Path) -> None:
        self._engine = FakeEngine(SystemClock())
        self._outputs = _Outputs(folder)
        self.exits: Exits = []
        self._engine.on_exit(lambda id, status: self.exits.append((id, status)))

    @property
    def engine(self) -> Engine:
        return self._engine

    def spec(self, behaviour: Behaviour, *, port: int | None = None) -> InstanceSpec:
        self._engine.behave(repr(behaviour), behaviour)
        return _spec(repr(behaviour), Slug(new_id()), port=port, output=self._outputs.new())

    def printed(self, spec: InstanceSpec) -> str:
        return self._outputs.read(spec.output)

    def reached_at(self, spec: InstanceSpec) -> str:
        return f"127.0.0.1:{spec.port}"

    def runs(self, identity: Identity) -> bool:
        return any(
            each.running and each.identity == identity for each in self._engine.machine.instances.values()
        )

    def lose(self, artifact: Artifact) -> None:
        self._engine.lose(artifact)

    def occupy(self, port: int) -> None:
        self._engine.machine.foreign_ports.add(port)

    async def restart(self) -> None:
        self._engine = self._engine.restarted()
        self._engine.on_exit(lambda id, status: self.exits.append((id, status)))

    async def close(self) -> None:
        await self._engine.recover({})
        await self._engine.close()
        self._outputs.close()


class ProcessStage:
    """The engine of local processes, in a home of its own."""

    engine: ProcessEngine

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder / "home", stop_grace=1.0)
        self.exits: Exits = []
        self.home_id = new_id()
        self._outputs = _Outputs(folder)
        self._foreigners: list[socket.socket] = []
        self._begin()

    def spec(self, behaviour: Behaviour, *, port: int | None = None) -> InstanceSpec:
        part = shlex.quote(json.dumps(asdict(behaviour)))
        return self.command(f"exec {sys.executable} -I -S actor.py {part}", port=port)

    def command(
        self, command: str, *, port: int | None = None, files: dict[str, str] | None = None
    ) -> InstanceSpec:
        """Return a new instance of an app that has these files and runs this command."""
        actor = Path(__file__).with_name("actor.py").read_text()
        slug = make_slug(self.settings, {"actor.py": actor, **(files or {})})
        return _spec(command, slug, port=port, output=self._outputs.new())

    def printed(self, spec: InstanceSpec) -> str:
        return self._outputs.read(spec.output)

    def reached_at(self, spec: InstanceSpec) -> str:
        return f"127.0.0.1:{spec.port}"

    def runs(self, identity: Identity) -> bool:
        assert isinstance(identity, ProcessIdentity)
        process = proc.find(identity)
        return process is not None and not process.dead

    def lose(self, artifact: Artifact) -> None:
        assert isinstance(artifact, Slug)
        (self.settings.slugs / artifact.key / ".complete").unlink()

    def occupy(self, port: int) -> None:
        self._foreigners.append(socket.create_server(("127.0.0.1", port)))

    async def restart(self) -> None:
        await self.engine.close()
        self._begin()

    async def close(self) -> None:
        await self.engine.close()
        self._begin()
        await self.engine.recover({})
        await self.engine.close()
        self._outputs.close()
        for foreigner in self._foreigners:
            foreigner.close()

    def _begin(self) -> None:
        self.engine = ProcessEngine(self.settings, home_id=self.home_id, clock=SystemClock())
        self.engine.on_exit(lambda id, status: self.exits.append((id, status)))


class DockerStage:
    """The engine of containers, in a home of its own on the daemon of this machine."""

    engine: DockerEngine

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder / "home", stop_grace=1.0)
        self.exits: Exits = []
        self.home_id = new_id()
        self._outputs = _Outputs(folder)
        self._foreigners: list[socket.socket] = []
        self._begin()

    def spec(self, behaviour: Behaviour, *, port: int | None = None) -> InstanceSpec:
        part = shlex.quote(json.dumps(asdict(behaviour)))
        return self.command(f"exec python3 -I -S /actor.py {part}", port=port)

    def command(self, command: str, *, port: int | None = None, image: Image | None = None) -> InstanceSpec:
        """Return a new instance of an image, else the actor's, that runs this command."""
        return _spec(command, image or actor_image(), port=port, output=self._outputs.new())

    def printed(self, spec: InstanceSpec) -> str:
        return self._outputs.read(spec.output)

    def reached_at(self, spec: InstanceSpec) -> str:
        name = container_name(spec)
        host = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        return f"{host}:{spec.port}"

    def runs(self, identity: Identity) -> bool:
        assert isinstance(identity, ContainerIdentity)
        return docker("inspect", "-f", "{{.State.Running}}", identity.container, check=False) == "true"

    def lose(self, artifact: Artifact) -> None:
        assert isinstance(artifact, Image)
        docker("image", "rm", "--force", artifact.digest)
        actor_image.cache_clear()

    def occupy(self, port: int) -> None:
        self._foreigners.append(socket.create_server(("127.0.0.1", port)))

    async def restart(self) -> None:
        await self.engine.close()
        self._begin()

    async def close(self) -> None:
        await self.engine.close()
        self._begin()
        await self.engine.recover({})
        await self.engine.close()
        self._outputs.close()
        for foreigner in self._foreigners:
            foreigner.close()

    def _begin(self) -> None:
        self.engine = DockerEngine(self.settings, home_id=self.home_id, clock=SystemClock())
        self.engine.on_exit(lambda id, status: self.exits.append((id, status)))


@cache
def actor_image() -> Image:
    """Return an image with the actor in it, this test run's own so that it may be lost."""
    return image_with({"actor.py": Path(__file__).with_name("actor.py").read_text()}, label=new_id())


STAGES: dict[str, Callable[[Path], Stage]] = {
    "fake": FakeStage,
    "process": ProcessStage,
    "docker": DockerStage,
}
