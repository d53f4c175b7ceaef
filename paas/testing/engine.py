"""An engine without processes: apps act out a `Behaviour` in memory, and tests pull their strings.

It passes the same contract suite as the real engines; it never starts anything.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from paas.clock import Clock
from paas.domain.build import Artifact, Image
from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, Identity, InstanceSpec, ProcessIdentity
from paas.engines.base import ExitListener, Found, TerminalSize
from paas.errors import ArtifactGoneError, EngineUnavailableError, InvalidError
from paas.settings import EngineChoice
from paas.testing.attachment import FakeAttachment
from paas.testing.behaviour import IDLES, SERVES, Behaviour, OnTerm

_TERM = 15
_KILL = 9


@dataclass(slots=True)
class FakeInstance:
    """One instance that is acted out. `ended` is set with how, once it has ended."""

    spec: InstanceSpec
    behaviour: Behaviour
    identity: ProcessIdentity
    started: float
    ended: asyncio.Future[ExitStatus]
    told: bool = False
    acting: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return not self.ended.done()


@dataclass(slots=True)
class FakeMachine:
    """What outlives a control plane: the instances, and the ports that foreigners hold."""

    instances: dict[InstanceId, FakeInstance] = field(default_factory=dict)
    foreign_ports: set[int] = field(default_factory=set)
    gone: set[Artifact] = field(default_factory=set)
    pids: int = 1000


class FakeEngine:
    """An engine for tests.

    A command that `behave` was told of behaves that way; any other one listens on its port if it has one,
    else idles. `started`, `stopped` and `forgotten` keep what was asked, in order.
    """

    kind = EngineChoice.PROCESS

    def __init__(
        self,
        clock: Clock,
        *,
        behaviours: Mapping[str, Behaviour] | None = None,
        machine: FakeMachine | None = None,
    ) -> None:
        self._clock = clock
        self._behaviours = dict(behaviours or {})
        self._listener: ExitListener | None = None
        self.machine = machine or FakeMachine()
        self.available = True
        """Set it to False and the engine no longer answers."""
        self.started: list[InstanceSpec] = []
        self.stopped: list[InstanceId] = []
        self.forgotten: list[InstanceId] = []

    # -- strings that tests pull ----------------------------------------------------------------------------
    def behave(self, command: str, behaviour: Behaviour) -> None:
        """From now on instances started with `command` behave that way."""
        self._behaviours[command] = behaviour

    def crash(self, id: InstanceId, code: int = 1, *, out_of_memory: bool = False) -> None:
        """End an instance by itself, with an exit code or, negative, a signal."""
        self._end(self.machine.instances[id], ExitStatus(code, out_of_memory))

    def make_listen(self, id: InstanceId) -> None:
        """Let an instance listen on its own port from now on."""
        self.machine.instances[id].behaviour = SERVES

    def make_silent(self, id: InstanceId) -> None:
        """Let an instance listen on nothing from now on."""
        self.machine.instances[id].behaviour = IDLES

    def lose(self, artifact: Artifact) -> None:
        """Let an artifact be gone."""
        self.machine.gone.add(artifact)

    def running(self) -> list[InstanceSpec]:
        """Return what runs now, oldest first."""
        return [each.spec for each in self.machine.instances.values() if each.running]

    def restarted(self) -> "FakeEngine":
        """Return the engine of the next control plane on the same machine."""
        self._listener = None
        engine = FakeEngine(self._clock, behaviours=self._behaviours, machine=self.machine)
        engine.available = self.available
        return engine

    # -- the contract ---------------------------------------------------------------------------------------
    def on_exit(self, listener: ExitListener) -> None:
        self._listener = listener

    async def silence(self) -> str | None:
        return None if self.available else EngineUnavailableError().message

    async def recover(self, known: Mapping[InstanceId, Identity | None]) -> Mapping[InstanceId, Found]:
        self._check_available()
        for name, each in list(self.machine.instances.items()):
            if name not in known:
                each.told = True
                self._end(each, ExitStatus(-_KILL))
            if not each.running:
                del self.machine.instances[name]
        for each in self.machine.instances.values():
            self._watch(each)
        return {name: Found(name, each.identity, None) for name, each in self.machine.instances.items()}

    async def start(self, spec: InstanceSpec) -> Identity:
        self._check_available()
        if running := self.machine.instances.get(spec.id):
            return running.identity
        instance = self._begin(spec)
        self._watch(instance)
        self._print(instance)
        self.started.append(spec)
        return instance.identity

    async def stop(self, id: InstanceId, *, grace: float) -> ExitStatus:
        self._check_available()
        self.stopped.append(id)
        instance = self.machine.instances.get(id)
        if instance is None:
            return ExitStatus(None)
        if instance.running and (status := _answer_to(_TERM, instance.behaviour)):
            self._end(instance, status)
        if instance.running:
            await self._ended_or(instance, grace)
            self._end(instance, ExitStatus(-_KILL))
        return await asyncio.shield(instance.ended)

    async def address(self, id: InstanceId, port: int) -> str | None:
        self._check_available()
        inside = self.port_inside(id, port)
        if port in self.machine.foreign_ports or inside not in await self.listening(id):
            return None
        return f"127.0.0.1:{inside}"

    async def listening(self, id: InstanceId) -> tuple[int, ...]:
        self._check_available()
        instance = self.machine.instances.get(id)
        if instance is None or not instance.running or instance.spec.port is None:
            return ()
        behaviour = instance.behaviour
        if not behaviour.listens or self._clock.monotonic() - instance.started < behaviour.listens_after:
            return ()
        return (self.port_inside(id, instance.spec.port) + behaviour.port_shift,)

    def port_inside(self, id: InstanceId, port: int) -> int:
        artifact = self.machine.instances[id].spec.artifact if id in self.machine.instances else None
        return (artifact.port if isinstance(artifact, Image) else None) or port

    async def attach(self, spec: InstanceSpec, *, terminal: TerminalSize | None) -> FakeAttachment:
        instance = self._begin(spec)
        instance.told = True
        self.started.append(spec)
        return FakeAttachment(
            instance.identity,
            behaviour=instance.behaviour,
            ended=instance.ended,
            terminal=terminal,
            leave=lambda: self._leave(spec.id),
        )

    async def forget(self, id: InstanceId) -> None:
        self.forgotten.append(id)
        self.machine.instances.pop(id, None)

    async def has(self, artifact: Artifact) -> bool:
        self._check_available()
        return artifact not in self.machine.gone

    async def close(self) -> None:
        self._listener = None

    # -- how it is acted out --------------------------------------------------------------------------------
    def _check_available(self) -> None:
        if not self.available:
            raise EngineUnavailableError

    def _begin(self, spec: InstanceSpec) -> FakeInstance:
        self._check_available()
        if spec.artifact in self.machine.gone:
            raise ArtifactGoneError
        if not spec.command.strip():
            raise InvalidError
        self.machine.pids += 1
        instance = FakeInstance(
            spec=spec,
            behaviour=self._behaviours.get(spec.command, IDLES if spec.port is None else SERVES),
            identity=ProcessIdentity("fake-boot", self.machine.pids, self.machine.pids),
            started=self._clock.monotonic(),
            ended=asyncio.get_running_loop().create_future(),
        )
        self.machine.instances[spec.id] = instance
        if instance.behaviour.exits is not None and not instance.behaviour.echoes:
            instance.acting = asyncio.ensure_future(self._exit_by_itself(instance))
        return instance

    def _watch(self, instance: FakeInstance) -> None:
        instance.ended.add_done_callback(lambda _: self._tell(instance))

    async def _exit_by_itself(self, instance: FakeInstance) -> None:
        left = instance.started + instance.behaviour.exits_after - self._clock.monotonic()
        if left > 0:
            await self._ended_or(instance, left)
        self._end(instance, ExitStatus(instance.behaviour.exits))

    def _end(self, instance: FakeInstance, status: ExitStatus) -> None:
        if instance.running:
            instance.ended.set_result(status)

    def _tell(self, instance: FakeInstance) -> None:
        if self._listener and not instance.told:
            instance.told = True
            self._listener(instance.spec.id, instance.ended.result())

    async def _leave(self, id: InstanceId) -> None:
        await self.stop(id, grace=0)
        await self.forget(id)

    async def _ended_or(self, instance: FakeInstance, seconds: float) -> None:
        woken = asyncio.Event()
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        sleeping.add_done_callback(lambda _: woken.set())
        instance.ended.add_done_callback(lambda _: woken.set())
        try:
            await woken.wait()
        finally:
            sleeping.cancel()

    def _print(self, instance: FakeInstance) -> None:
        if not instance.behaviour.prints:
            return
        fifo = os.open(instance.spec.output, os.O_RDWR | os.O_NONBLOCK)
        os.write(fifo, "".join(f"{line}\n" for line in instance.behaviour.prints).encode())
        instance.ended.add_done_callback(lambda _: os.close(fifo))


def _answer_to(number: int, behaviour: Behaviour) -> ExitStatus | None:
    match behaviour.on_term:
        case OnTerm.DIE:
            return ExitStatus(-number)
        case OnTerm.EXIT:
            return ExitStatus(0)
        case OnTerm.IGNORE:
            return None
