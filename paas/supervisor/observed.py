"""Observed state: what is there, as one value: instances, how they ended, what probes found. It decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from paas.domain.ids import InstanceId, ReleaseId
from paas.domain.instance import ExitStatus, Instance
from paas.supervisor.place import Place

CRASH = "crashed: "
"""How the cause of a crash begins in the store: it tells a crash from a stop once the memory of it is gone."""
MAX_MOVES = 3
"""How often an instance is given another port before a taken one counts as a crash."""


@dataclass(frozen=True, slots=True)
class Exit:
    """An instance has ended and nobody has written it down yet. `jitter` is its share of the next back-off."""

    status: ExitStatus
    at: float
    jitter: float = 0.0
    port_taken: bool = False
    """Whether a foreign program holds the port that the instance was to listen on."""
    reason: str = ""
    """Why it could not even be started, where that is so."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A probe found the instance ready for requests."""

    address: str
    cause: str


@dataclass(frozen=True, slots=True)
class NotReady:
    """The instance will not become ready: it is out of time, or its port is not to be had."""

    reason: str
    port_taken: bool = False


@dataclass(frozen=True, slots=True)
class Unwell:
    """The instance was up and has failed its liveness check too often in a row."""

    reason: str


Verdict = Ready | NotReady | Unwell


@dataclass(frozen=True, slots=True)
class Draining:
    """An instance on its way out. `in_flight` is None until it is known to have left the routers' table."""

    since: float
    in_flight: int | None = None


class Ending(Enum):
    """How the last instance of a place ended, as far as the next one is concerned."""

    CRASHED = "crashed"
    """By itself: the next one waits its turn."""
    STOPPED = "stopped"
    """It was told to: the next one starts fresh."""
    EXCUSED = "excused"
    """Lost with the machine, or its port was taken: the next one starts at once, with the same history."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last instance of a place. `streak` and `restarts` are what its successor carries on."""

    instance: Instance
    ending: Ending
    at: float
    restarts: int = 0
    streak: int = 0
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything known at one moment. Times are on the monotonic clock."""

    instances: Mapping[InstanceId, Instance] = field(default_factory=dict)
    """Every one that is not ended."""
    exits: Mapping[InstanceId, Exit] = field(default_factory=dict)
    ended: Mapping[Place, Ended] = field(default_factory=dict)
    verdicts: Mapping[InstanceId, Verdict] = field(default_factory=dict)
    draining: Mapping[InstanceId, Draining] = field(default_factory=dict)
    busy: frozenset[InstanceId] = frozenset()
    """Instances that an earlier action is still at work on."""
    failing: frozenset[InstanceId] = frozenset()
    """Instances that are being stopped because they did not become healthy."""
    leftovers: Mapping[InstanceId, Instance] = field(default_factory=dict)
    """Ended instances whose scratch and FIFO are still there."""
    taken_ports: Mapping[Place, frozenset[int]] = field(default_factory=dict)
    """Ports of a place that foreign programs were found on since it was last up."""
    serving_since: Mapping[ReleaseId, float] = field(default_factory=dict)
    reported: frozenset[ReleaseId] = frozenset()
    """Releases already told of as unstable."""
    silent_until: float = 0.0
    """When to try again after the engine or the store did not answer; until then nothing is known, and nothing
    is dead."""
