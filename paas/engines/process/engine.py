"""The engine for local processes. Whatever it starts outlives it, and the next engine of the home finds it again."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from paas.clock import Clock
from paas.domain.build import Artifact, Slug
from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, Identity, InstanceSpec, ProcessIdentity
from paas.engines.base import ExitListener, Found, TerminalSize
from paas.engines.process import kernel, pidfd, survivors
from paas.engines.process.attachment import ProcessAttachment
from paas.engines.process.instance import LocalInstance
from paas.engines.process.orphans import Orphans
from paas.engines.process.scratch import Scratch, is_whole
from paas.engines.process.spawn import HOME_MARKER, INSTANCE_MARKER, launch_of, spawn, translated
from paas.engines.process.terminal import Terminal
from paas.errors import ArtifactGoneError, EngineUnavailableError
from paas.settings import EngineChoice, Settings
from paas.threads import in_thread

_LOOK_AGAIN = 0.02
_LOOKS = 500


@dataclass(frozen=True, slots=True)
class _Files:
    """What a leader has open from its start."""

    stdin: int
    output: int
    terminal: str | None = None


class ProcessEngine:
    """Instances as local processes of the server's own user: trusted code (see the contract in `paas.engines.base`).

    `home_id` marks what this home starts, so that several homes share a machine. One-offs are told of by their
    attachment alone, not to the listener.
    """

    kind = EngineChoice.PROCESS

    def __init__(self, settings: Settings, *, home_id: str, clock: Clock) -> None:
        self._settings = settings
        self._home_id = home_id
        self._clock = clock
        self._listener: ExitListener | None = None
        self._starting: dict[InstanceId, asyncio.Task[LocalInstance]] = {}
        self._instances: dict[InstanceId, LocalInstance] = {}
        self._one_offs: set[InstanceId] = set()
        self._orphans: asyncio.Task[None] | None = None

    @property
    def marks(self) -> Mapping[str, str]:
        """Variables for processes that are no instances and go with the control plane: the next `recover` kills them."""
        return {INSTANCE_MARKER: f"of-{self._home_id}", HOME_MARKER: self._home_id}

    def on_exit(self, listener: ExitListener) -> None:
        self._listener = listener

    async def silence(self) -> str | None:
        return None

    async def recover(self, known: Mapping[InstanceId, Identity | None]) -> Mapping[InstanceId, Found]:
        kernel.adopt_orphans()
        kernel.forbid_core_dumps()
        self._orphans = asyncio.create_task(Orphans(clock=self._clock, leaders=self._leaders).run())
        root = self._settings.scratch
        for id, identity in (await in_thread(survivors.leaders_of, root, known)).items():
            handle = pidfd.open_checked(identity)
            if handle is not None:
                self._watch(id, identity, handle)
        ended = await in_thread(survivors.unreaped, known)
        for id in await in_thread(survivors.strangers, root, self._home_id, adopted=self._instances):
            await self._kill_stranger(id)
        running = {id: Found(id, each.leader.identity, None) for id, each in self._instances.items()}
        return ended | running

    async def start(self, spec: InstanceSpec) -> Identity:
        if running := await self._find(spec.id):
            return running.leader.identity
        with ExitStack() as files:
            stdin = _opened(files, Path(os.devnull), os.O_RDONLY)
            # Open for reading too: the app is its own reader, so no end of ours can give it SIGPIPE.
            output = _opened(files, spec.output, os.O_RDWR)
            instance = await self._launch(spec, _Files(stdin, output))
        return instance.leader.identity

    async def stop(self, id: InstanceId, *, grace: float) -> ExitStatus:
        instance = await self._find(id)
        return await instance.stop(grace=grace) if instance else ExitStatus(None)

    async def address(self, id: InstanceId, port: int) -> str | None:
        instance = self._instances.get(id)
        found = await instance.listening(port) if instance else []
        return found[0].address if found else None

    async def listening(self, id: InstanceId) -> tuple[int, ...]:
        instance = self._instances.get(id)
        found = await instance.listening() if instance else []
        return tuple(sorted({listener.port for listener in found}))

    def port_inside(self, _id: InstanceId, port: int) -> int:
        return port

    async def attach(self, spec: InstanceSpec, *, terminal: TerminalSize | None) -> ProcessAttachment:
        self._one_offs.add(spec.id)
        with ExitStack() as theirs, ExitStack() as ours:
            if terminal:
                pty = Terminal.open(terminal)
                reader = writer = _closing(ours, pty.ours)
                files = _Files(_closing(theirs, pty.theirs), pty.theirs, pty.name)
            else:
                stdin, writer = os.pipe()
                reader, output = os.pipe()
                files = _Files(_closing(theirs, stdin), _closing(theirs, output))
                _closing(ours, reader), _closing(ours, writer)
            instance = await self._launch(spec, files)
            ours.pop_all()
        return ProcessAttachment(
            instance.leader, reader=reader, writer=writer, leave=lambda: self._leave(spec.id)
        )

    async def forget(self, id: InstanceId) -> None:
        instance = await self._find(id)
        if instance:
            await instance.remove()
        else:
            await in_thread(Scratch(self._settings.scratch, id).remove)
        self._instances.pop(id, None)
        self._one_offs.discard(id)

    async def has(self, artifact: Artifact) -> bool:
        return isinstance(artifact, Slug) and await in_thread(is_whole, self._folder(artifact))

    async def close(self) -> None:
        self._listener = None
        if self._orphans:
            self._orphans.cancel()
        for instance in self._instances.values():
            await instance.let_go()
        self._instances.clear()

    # -- starting -------------------------------------------------------------------------------------------
    async def _launch(self, spec: InstanceSpec, files: _Files) -> LocalInstance:
        """Start it in a task of its own: a caller that goes away in between leaves an instance that can be stopped."""
        starting = asyncio.create_task(self._begin(spec, files))
        self._starting[spec.id] = starting
        starting.add_done_callback(lambda _: self._starting.pop(spec.id, None))
        try:
            return await asyncio.shield(starting)
        finally:
            await asyncio.wait([starting])

    async def _begin(self, spec: InstanceSpec, files: _Files) -> LocalInstance:
        if not isinstance(spec.artifact, Slug) or not await self.has(spec.artifact):
            raise ArtifactGoneError(
                f"The slug of {spec.app_name} v{spec.version} is gone; nothing was started. Push its commit again."
            )
        identity = await in_thread(self._spawn, spec, spec.artifact, files)
        return self._watch(spec.id, identity, os.pidfd_open(identity.pid))

    def _spawn(self, spec: InstanceSpec, slug: Slug, files: _Files) -> ProcessIdentity:
        scratch = Scratch(self._settings.scratch, spec.id)
        folder = self._folder(slug)
        launch = launch_of(
            spec, slug, slug_folder=folder, scratch=scratch, home_id=self._home_id, terminal=files.terminal
        )
        try:
            with scratch.made() as lock:
                scratch.fill(folder, slug)
                return spawn(launch, stdin=files.stdin, output=files.output, lock=lock)
        except OSError as error:
            raise translated(error) from error

    def _watch(self, id: InstanceId, identity: ProcessIdentity, handle: int) -> LocalInstance:
        scratch = Scratch(self._settings.scratch, id)
        self._instances[id] = LocalInstance(
            id, identity, handle, scratch=scratch, clock=self._clock, tell=self._tell
        )
        return self._instances[id]

    # -- the rest -------------------------------------------------------------------------------------------
    def _tell(self, id: InstanceId, status: ExitStatus) -> None:
        if self._listener and id not in self._one_offs:
            self._listener(id, status)

    def _folder(self, slug: Slug) -> Path:
        return self._settings.slugs / slug.key

    def _leaders(self) -> set[int]:
        return {instance.leader.identity.pid for instance in self._instances.values()}

    async def _find(self, id: InstanceId) -> LocalInstance | None:
        """Return the instance, once it is started if it is about to be."""
        starting = self._starting.get(id)
        if starting:
            await asyncio.wait([starting])
        return self._instances.get(id)

    async def _leave(self, id: InstanceId) -> None:
        await self.stop(id, grace=self._settings.stop_grace)
        await self.forget(id)

    async def _kill_stranger(self, id: InstanceId) -> None:
        family = survivors.family_of(self._settings.scratch, id)
        for _ in range(_LOOKS):
            if not await in_thread(family.kill):
                break
            await self._clock.sleep(_LOOK_AGAIN)
        await in_thread(Scratch(self._settings.scratch, id).remove)


def _opened(files: ExitStack, path: Path, flags: int) -> int:
    try:
        return _closing(files, os.open(path, flags | os.O_CLOEXEC))
    except OSError as error:
        raise EngineUnavailableError(
            f"{path}, for the output of an instance, cannot be opened: {error.strerror}."
        ) from error


def _closing(files: ExitStack, descriptor: int) -> int:
    files.callback(os.close, descriptor)
    return descriptor
