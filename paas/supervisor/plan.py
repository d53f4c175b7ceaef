"""The Plan: what to do next, as values with a cause in a user's words. It prints as text and does nothing itself."""

from dataclasses import dataclass

from paas.domain.instance import Instance
from paas.domain.release import Release
from paas.supervisor.observed import Exit
from paas.supervisor.place import Place


@dataclass(frozen=True, slots=True)
class StartInstance:
    """Start one instance of a release at its place, never on a port that a foreign program was seen to hold."""

    place: Place
    release: Release
    cause: str
    epoch: int = 0
    restarts: int = 0
    streak: int = 0
    avoid_ports: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return f"StartInstance {self.place.app} {self.place.name} {self.release.name}: {self.cause}"


@dataclass(frozen=True, slots=True)
class InstanceAction:
    """What is done to an instance that exists."""

    instance: Instance
    cause: str

    def __str__(self) -> str:
        of = self.instance
        return f"{type(self).__name__} {of.app} {of.name} v{of.version}: {self.cause}"


@dataclass(frozen=True, slots=True)
class ResumeStart(InstanceAction):
    """Ask the engine once more for an instance whose start it did not answer: the same id, so never two of it."""


@dataclass(frozen=True, slots=True)
class MarkUp(InstanceAction):
    """Count the instance as healthy; web gets requests at `address` from now on if its release serves."""

    address: str | None = None


@dataclass(frozen=True, slots=True)
class DrainInstance(InstanceAction):
    """Take the instance out of the routing table; what it has in flight may end."""


@dataclass(frozen=True, slots=True)
class CloseConnections(InstanceAction):
    """Cut what the instance still has in flight at the end of its drain."""


@dataclass(frozen=True, slots=True)
class StopInstance(InstanceAction):
    """TERM to its group, the grace, KILL to what is left. `excused`: its successor carries its history on."""

    excused: bool = False


@dataclass(frozen=True, slots=True)
class FailInstance(InstanceAction):
    """Stop an instance that did not become healthy; it counts as a crash."""


@dataclass(frozen=True, slots=True)
class RecordCrash(InstanceAction):
    """Write down that the instance ended by itself though it should run."""

    seen: Exit


@dataclass(frozen=True, slots=True)
class RecordEnd(InstanceAction):
    """Write down an end that is no crash: a one-off, a drained copy, a port that was taken (`excused`)."""

    seen: Exit
    excused: bool = False


@dataclass(frozen=True, slots=True)
class ForgetInstance(InstanceAction):
    """Store its last output and remove what an ended instance left behind."""


@dataclass(frozen=True, slots=True)
class ReportUnstable:
    """Tell that a release keeps crashing in its first minute; done once for a release."""

    place: Place
    release: Release
    cause: str

    def __str__(self) -> str:
        return f"ReportUnstable {self.place.app} {self.place.name} {self.release.name}: {self.cause}"


Action = (
    StartInstance
    | ResumeStart
    | MarkUp
    | DrainInstance
    | CloseConnections
    | StopInstance
    | FailInstance
    | RecordCrash
    | RecordEnd
    | ForgetInstance
    | ReportUnstable
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order to carry them out, and the moment when time alone makes a new look worth while."""

    actions: tuple[Action, ...] = ()
    look_again: float | None = None

    @property
    def is_followed_at_once(self) -> bool:
        """Whether carrying it out is a reason to look again; a start is none until it has ended, which wakes by itself."""
        return not all(isinstance(action, StartInstance) for action in self.actions)

    def __str__(self) -> str:
        lines = [str(action) for action in self.actions] or ["nothing to do"]
        if self.look_again is not None:
            lines.append(f"look again at {self.look_again:.2f}")
        return "\n".join(lines)
