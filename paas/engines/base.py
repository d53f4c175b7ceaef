"""The contract of an engine. It decides nothing: no restarts, no back-off, no health; it never reads the store."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from paas.domain.build import Artifact
from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, Identity, InstanceSpec
from paas.settings import EngineChoice

ExitListener = Callable[[InstanceId, ExitStatus], None]
"""Called on the event loop, once per instance, as soon as its leader has ended. It only enqueues."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the engine found of one instance after a restart of the control plane."""

    id: InstanceId
    identity: Identity
    exit: ExitStatus | None
    """None while it runs."""


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """A terminal's size in character cells."""

    rows: int = 24
    columns: int = 80


class Attachment(Protocol):
    """The other end of a one-off: its input, its output and its end. Use it as an async context manager:
    leaving it ends the one-off (TERM, grace, KILL, for the whole group) and removes what it left behind."""

    identity: Identity

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def output(self) -> AsyncIterator[bytes]:
        """Yield stdout and stderr as they come, in blocks of at most 64 KiB, until both have ended."""
        ...

    async def write(self, data: bytes) -> None:
        """Give `data` to its standard input; returns once there is room for more. Nothing happens after its end."""
        ...

    async def close_input(self) -> None:
        """End its standard input; on a terminal, as if ^D had been typed."""
        ...

    async def resize(self, size: TerminalSize) -> None:
        """Set the terminal's size; nothing without a terminal."""
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to the whole group; nothing after its end."""
        ...

    async def wait(self) -> ExitStatus:
        """Return how it ended. May be called any number of times."""
        ...


class Engine(Protocol):
    """Starts and stops instances and tells what became of them. All methods run on the event loop and never block
    it. An instance is known by the id in its spec from before `start` until `forget`.

    Raises EngineUnavailableError where the engine itself does not answer: then nothing is known, and nothing is dead.
    """

    kind: EngineChoice

    def on_exit(self, listener: ExitListener) -> None:
        """Name who is told of exits; called once, before anything else."""
        ...

    async def silence(self) -> str | None:
        """Return, soon, why the engine does not answer right now; None where it does."""
        ...

    async def recover(self, known: Mapping[InstanceId, Identity | None]) -> Mapping[InstanceId, Found]:
        """Take up again what an earlier control plane started; called once, before the first `start`.

        `known` are the instances that should exist; an identity is None where the crash came between the start and
        the record of it. Returns what was found of those: running ones are adopted and watched as if started here;
        one that is missing was lost with everything it had. Whatever else of this home runs (marked with an
        instance id that is not in `known`) is killed.
        """
        ...

    async def start(self, spec: InstanceSpec) -> Identity:
        """Start one instance in a session of its own and return who it is; its exit is told to the listener.

        Repeating it starts nothing: it returns who was started, also where the first call was given up.
        Raises ArtifactGoneError where the artifact is not there, InvalidError where the command can never start.
        """
        ...

    async def stop(self, id: InstanceId, *, grace: float) -> ExitStatus:
        """TERM to the whole group, `grace` seconds on the monotonic clock, KILL to all that is left; return how the
        leader ended. At its return nothing of the instance runs. Repeating it returns the same status."""
        ...

    async def address(self, id: InstanceId, port: int) -> str | None:
        """Return `HOST:PORT` where a router reaches the instance once a process of its own listens on `port`;
        None while none does, and also while a foreign process does."""
        ...

    async def listening(self, id: InstanceId) -> tuple[int, ...]:
        """Return the TCP ports that the instance's processes listen on, to explain why `port` stays silent."""
        ...

    def port_inside(self, id: InstanceId, port: int, /) -> int:
        """Return the port that the instance itself is to listen on, which its artifact may choose, for `port`."""
        ...

    async def attach(self, spec: InstanceSpec, *, terminal: TerminalSize | None) -> Attachment:
        """Start a one-off: on a pseudo-terminal of that size, else with pipes. `spec.output` is not used.

        Raises as `start` does, and CommandNotFoundError or CommandNotExecutableError only where no shell could say so.
        """
        ...

    async def forget(self, id: InstanceId) -> None:
        """Remove the scratch of an instance that has ended. Repeating it does nothing."""
        ...

    async def has(self, artifact: Artifact) -> bool:
        """Return whether the artifact is there, whole and usable."""
        ...

    async def close(self) -> None:
        """Let go of everything without stopping an instance: the next control plane recovers them."""
        ...
