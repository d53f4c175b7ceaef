"""An Instance: one running copy of a process type of one release, shown as `web.1`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from paas.domain.build import Artifact
from paas.domain.ids import AppId, Commit, InstanceId, ReleaseId
from paas.domain.names import AppName, ProcessType


class InstanceState(StrEnum):
    """The life of an instance, in this order; only `EXITED` is final."""

    STARTING = "starting"
    UP = "up"
    DRAINING = "draining"
    STOPPING = "stopping"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Who a local process is for as long as the machine runs: a pid alone may be another one's tomorrow."""

    boot_id: str
    pid: int
    start_time: int
    """Field 22 of /proc/PID/stat, in clock ticks since boot (proc(5))."""


@dataclass(frozen=True, slots=True)
class ContainerIdentity:
    """Who a container is: the engine's own id for it."""

    container: str


Identity = ProcessIdentity | ContainerIdentity


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How an instance ended. `code` is None where nobody can know it; a signal is the negative number. Where memory ran
    out it was killed for that, or failed after a process of it was."""

    code: int | None
    out_of_memory: bool = False

    def __str__(self) -> str:
        if self.code is None:
            return "out of memory" if self.out_of_memory else "exit unknown"
        if self.code < 0:
            return "out of memory" if self.out_of_memory else f"signal {-self.code}"
        return f"exit {self.code}, out of memory" if self.out_of_memory else f"exit {self.code}"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as the store knows it.

    `restarts` counts the exits of this slot before it in the same release, `streak` those that came in
    a row without a healthy minute between them (the back-off), `started_monotonic` is on the clock that
    all processes of one boot share.
    """

    id: InstanceId
    app: AppId
    release: ReleaseId
    version: int
    type: ProcessType
    index: int
    epoch: int
    state: InstanceState
    created_at: datetime
    started_monotonic: float
    port: int | None = None
    address: str | None = None
    """`HOST:PORT` where the router finds it, once known."""
    identity: Identity | None = None
    up_at: datetime | None = None
    up_monotonic: float | None = None
    ended_at: datetime | None = None
    ended_monotonic: float | None = None
    exit: ExitStatus | None = None
    cause: str = ""
    """Why it is in its state, in words a user understands."""
    restarts: int = 0
    streak: int = 0
    one_off: bool = False
    time_limit: float | None = None
    """Seconds after it came up at which it is stopped; None for what runs on and on."""

    @property
    def name(self) -> str:
        return f"{self.type}.{self.index}"

    @property
    def ends_monotonic(self) -> float | None:
        """When its time limit is over; None where it has none."""
        if self.time_limit is None:
            return None
        return (self.up_monotonic or self.started_monotonic) + self.time_limit


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What an engine needs to start one instance. `environment` is complete but for what the engine adds itself
    (PATH, HOME, PORT where it chooses the port)."""

    id: InstanceId
    app: AppId
    app_name: AppName
    version: int
    commit: Commit
    type: ProcessType
    index: int
    command: str
    artifact: Artifact
    environment: tuple[tuple[str, str], ...]
    port: int | None
    """The port to listen on; None for an instance that serves none."""
    output: Path
    """The FIFO that carries stdout and stderr together."""

    @property
    def name(self) -> str:
        return f"{self.type}.{self.index}"

    def __repr__(self) -> str:
        return f"InstanceSpec({self.app_name} {self.name} v{self.version} {self.id})"
