"""The engine for Docker. What it starts outlives it, and the next engine of the home finds it again by its labels."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from paas.clock import Clock
from paas.domain.build import Artifact, Image
from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ContainerIdentity, ExitStatus, Identity, InstanceSpec
from paas.engines.base import ExitListener, Found, TerminalSize
from paas.engines.docker import spec as containers
from paas.engines.docker.attachment import DockerAttachment
from paas.engines.docker.client import Daemon
from paas.engines.docker.container import LiveContainer, Tell
from paas.engines.docker.hijack import Stream
from paas.engines.docker.journal import Journal
from paas.engines.docker.networks import Networks
from paas.engines.docker.spec import Config, Limits, Place
from paas.engines.docker.state import ContainerState, ImageConfig
from paas.errors import (
    ArtifactGoneError,
    ConflictError,
    EngineUnavailableError,
    InvalidError,
    NotFoundError,
    PaasError,
)
from paas.settings import EngineChoice, Settings
from paas.threads import in_thread

T = TypeVar("T")

_JOURNALS = "containers"
_IMAGES = 256
"""Images whose own words are remembered; each push makes another one."""


class DockerEngine:
    """Instances as containers of one Docker daemon on this machine (see the contract in `paas.engines.base`).

    `home_id` marks what this home starts, so that several homes share a daemon. One-offs are told of by their
    attachment alone, not to the listener.
    """

    kind = EngineChoice.DOCKER

    def __init__(
        self, settings: Settings, *, home_id: str, clock: Clock, daemon: Daemon | None = None
    ) -> None:
        self._settings = settings
        self._home_id = home_id
        self._clock = clock
        self._daemon = daemon or Daemon()
        self._networks = Networks(self._daemon, home_id=home_id)
        self._limits = Limits(memory_mib=settings.instance_memory, stop_grace=settings.stop_grace)
        self._listener: ExitListener | None = None
        self._starting: dict[InstanceId, asyncio.Task[ContainerIdentity]] = {}
        self._unsure: dict[InstanceId, InstanceSpec] = {}
        """What was begun and neither runs for sure nor is gone for sure: the daemon did not answer in between. A
        container that it makes only after it was asked is left to the next `recover`."""
        self._containers: dict[InstanceId, LiveContainer] = {}
        self._apps: dict[InstanceId, AppId] = {}
        self._images: dict[str, ImageConfig] = {}
        """What the images that were started say of themselves, by their digest, which never changes."""

    def on_exit(self, listener: ExitListener) -> None:
        self._listener = listener

    async def silence(self) -> str | None:
        return await self._daemon.silence()

    async def recover(self, known: Mapping[InstanceId, Identity | None]) -> Mapping[InstanceId, Found]:
        found: dict[InstanceId, Found] = {}
        for container in await self._daemon.containers(self._home_id):
            state = await self._daemon.find(container)
            if state is None:
                continue
            if await self._is_expected(state, known):
                tell = _to_nobody if state.is_over else self._tell
                live = self._containers.get(state.owner.instance) or self._adopt(state, tell)
                found[live.id] = Found(live.id, live.identity, state.exit if state.is_over else None)
            else:
                await self._daemon.remove(container)
        await self._networks.sweep()
        await in_thread(self._sweep_journals, frozenset(found))
        return found

    async def start(self, spec: InstanceSpec) -> Identity:
        if live := await self._find(spec.id):
            return live.identity
        starting = self._starting[spec.id] = asyncio.create_task(self._begin(spec))
        starting.add_done_callback(lambda _: self._starting.pop(spec.id, None))
        try:  # a caller that goes away in between leaves an instance that can be stopped
            return await asyncio.shield(starting)
        finally:
            await asyncio.wait([starting])

    async def stop(self, id: InstanceId, *, grace: float) -> ExitStatus:
        container = await self._find(id)
        return await container.stop(grace=grace) if container else ExitStatus(None)

    async def address(self, id: InstanceId, port: int) -> str | None:
        container = self._containers.get(id)
        return await container.address(port) if container else None

    async def listening(self, id: InstanceId) -> tuple[int, ...]:
        container = self._containers.get(id)
        found = await container.listening() if container else []
        return tuple(sorted({listener.port for listener in found}))

    def port_inside(self, id: InstanceId, port: int) -> int:
        container = self._containers.get(id)
        return container.port_inside(port) if container else port

    async def attach(self, spec: InstanceSpec, *, terminal: TerminalSize | None) -> DockerAttachment:
        image = await self._image(spec)

        async def make(place: Place) -> DockerAttachment:
            config = containers.one_off_config(
                spec,
                place,
                home_id=self._home_id,
                limits=self._limits,
                image=image,
                terminal=terminal,
            )
            return await DockerAttachment.start(
                await self._create(spec, config),
                terminal=terminal,
                daemon=self._daemon,
                clock=self._clock,
                grace=self._settings.stop_grace,
                leave=lambda: self._networks.leave(spec.app, spec.id),
            )

        return await self._in_network(spec, make)

    async def forget(self, id: InstanceId) -> None:
        container = await self._find(id)
        if container:
            if not container.ended.done():
                raise ConflictError(f"Instance {id} still runs; stop it first.")
            await container.remove()
            await self._networks.leave(self._apps[id], id)
            self._containers.pop(id, None)
            self._apps.pop(id, None)
        await in_thread(self._journal(id).unlink, missing_ok=True)

    async def has(self, artifact: Artifact) -> bool:
        return isinstance(artifact, Image) and await self._daemon.image(artifact.digest) is not None

    async def close(self) -> None:
        self._listener = None
        await asyncio.gather(*(each.let_go() for each in self._containers.values()))
        self._containers.clear()
        self._daemon.close()

    # -- starting -------------------------------------------------------------------------------------------
    async def _begin(self, spec: InstanceSpec) -> ContainerIdentity:
        image = await self._image(spec)

        async def make(place: Place) -> LiveContainer:
            config = containers.instance_config(
                spec, place, home_id=self._home_id, limits=self._limits, image=image
            )
            return await self._bring_up(spec, config)

        return (await self._in_network(spec, make)).identity

    async def _in_network(self, spec: InstanceSpec, make: Callable[[Place], Awaitable[T]]) -> T:
        """Return what `make` makes in the app's network, which is made anew where somebody has removed it. Raises as
        `_image` does where the image was removed."""
        self._unsure[spec.id] = spec
        try:
            try:
                made = await make(await self._networks.join(spec))
            except NotFoundError:  # of its image, or of its network
                self._images.clear()
                await self._image(spec)
                self._networks.lost(spec.app)
                made = await make(await self._networks.join(spec))
        except NotFoundError as error:
            raise EngineUnavailableError(
                f"What was made for {spec.name} is gone again: {error.message}"
            ) from error
        except EngineUnavailableError:  # it may have been made all the same
            raise
        except PaasError:
            await self._networks.leave(spec.app, spec.id)
            self._unsure.pop(spec.id, None)
            raise
        self._unsure.pop(spec.id, None)
        return made

    async def _image(self, spec: InstanceSpec) -> ImageConfig:
        """Return what the image says of itself; raises ArtifactGoneError or InvalidError for what can never start."""
        command = containers.command_of(spec)
        digest = containers.image_of(spec).digest
        image = self._images.get(digest) or await self._daemon.image(digest)
        if image is None:
            raise ArtifactGoneError(
                f"The image of {spec.app_name} v{spec.version} is gone; nothing was started. Push its commit again."
            )
        if not (command or image.command or image.entrypoint):
            raise InvalidError(
                f"The image of {spec.app_name} v{spec.version} names no command. Add a CMD to the Dockerfile."
            )
        if len(self._images) >= _IMAGES:
            self._images.clear()
        self._images[digest] = image
        return image

    async def _create(self, spec: InstanceSpec, config: Config) -> str:
        making = asyncio.ensure_future(self._daemon.create(containers.container_name(spec), config))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            # The daemon makes it all the same, and whoever looks for it next is to find it.
            await asyncio.wait([making])
            raise

    async def _bring_up(self, spec: InstanceSpec, config: Config) -> LiveContainer:
        try:
            container = await self._create(spec, config)
        except ConflictError:  # an earlier start of it was cut off: go on where it was
            state = await self._daemon.get(containers.container_name(spec))
            if state.has_started:
                return self._adopt(state, self._tell)
            container = state.id
        self._apps[spec.id] = spec.app
        journal = await in_thread(Journal.create, self._journal(spec.id), spec.output)
        return await self._run(spec.id, container, journal)

    async def _run(self, id: InstanceId, container: str, journal: Journal) -> LiveContainer:
        """Start a container that is attached to already, so that nothing it prints is missed."""
        stream = None
        try:
            stream = await self._daemon.attach(container)
            await self._daemon.start(container)
            state = await self._daemon.get(container)
        except PaasError as error:
            journal.close()
            if stream:
                stream.close()
            if not isinstance(
                error, EngineUnavailableError
            ):  # where it is unknown, the next start takes it up
                await self._daemon.remove(container)
            raise
        return self._live(id, state, journal, stream=stream, tell=self._tell)

    # -- what there is --------------------------------------------------------------------------------------
    async def _is_expected(self, state: ContainerState, known: Mapping[InstanceId, Identity | None]) -> bool:
        """Return whether a container of this home is one to take up again: known, started, and with its journal."""
        id = state.owner.instance
        if id in self._containers:
            return True
        is_ours = id in known and state.has_started and not state.owner.one_off
        return is_ours and await in_thread(Journal.is_whole, self._journal(id))

    def _adopt(self, state: ContainerState, tell: Tell) -> LiveContainer:
        id, app = state.owner.instance, state.owner.app
        self._networks.adopt(app, id)
        self._apps[id] = app
        return self._live(id, state, Journal(self._journal(id)), stream=None, tell=tell)

    def _live(
        self, id: InstanceId, state: ContainerState, journal: Journal, *, stream: Stream | None, tell: Tell
    ) -> LiveContainer:
        self._containers[id] = LiveContainer(
            id, state, journal, stream=stream, daemon=self._daemon, clock=self._clock, tell=tell
        )
        return self._containers[id]

    def _tell(self, id: InstanceId, status: ExitStatus) -> None:
        if self._listener:
            self._listener(id, status)

    async def _find(self, id: InstanceId) -> LiveContainer | None:
        """Return the container, once it is started if it is about to be."""
        starting = self._starting.get(id)
        if starting:
            await asyncio.wait([starting])
        if id in self._unsure:
            await self._make_sure(self._unsure[id])
        return self._containers.get(id)

    async def _make_sure(self, spec: InstanceSpec) -> None:
        """Find out what became of a start that broke off: take up what has begun to run, remove what has not."""
        state = await self._daemon.find(containers.container_name(spec))
        if spec.id not in self._unsure:  # somebody else was as fast
            return
        if state is not None and state.has_started and not state.owner.one_off:
            self._adopt(state, self._tell)
        else:
            if state is not None:
                await self._daemon.remove(state.id)
            await self._networks.leave(spec.app, spec.id)
        self._unsure.pop(spec.id, None)

    def _journal(self, id: InstanceId) -> Path:
        return self._settings.runtime / _JOURNALS / f"{id}.journal"

    def _sweep_journals(self, kept: frozenset[InstanceId]) -> None:
        for path in (self._settings.runtime / _JOURNALS).glob("*"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)


def _to_nobody(_id: InstanceId, _status: ExitStatus) -> None:
    """The exit of what had ended before it was found is told by `recover` itself."""
