"""What a commit says about how it runs: its Procfile, and the parts of app.json that mini reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from paas.domain.names import RELEASE, ProcessType


@dataclass(frozen=True, slots=True)
class Procfile:
    """Process types and their commands, in the order written. `source` is `Procfile`, or says which default it is."""

    commands: Mapping[ProcessType, str]
    source: str = "Procfile"

    @property
    def long_running(self) -> tuple[ProcessType, ...]:
        """The types that can be scaled: all but `release`."""
        return tuple(name for name in self.commands if name != RELEASE)

    @property
    def release_command(self) -> str | None:
        return self.commands.get(RELEASE)


class CheckKind(StrEnum):
    """When a check is asked: `startup` before traffic, `liveness` ever after."""

    STARTUP = "startup"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True)
class Check:
    """A health check of `healthchecks` in app.json, as Dokku reads it. Times are in seconds.

    With `path` an HTTP request is sent with the app's own Host, and a status of 200 to 399 is healthy,
    with `content` in its body where that is set; without `path` the instance must listen.
    """

    kind: CheckKind
    path: str | None = None
    content: str | None = None
    attempts: int = 3
    interval: float = 1.0
    timeout: float = 5.0
    initial_delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the platform reads from a commit beside its code: kept with the build, copied by rollbacks."""

    procfile: Procfile
    formation: Mapping[ProcessType, int] = field(default_factory=dict)
    checks: Mapping[ProcessType, tuple[Check, ...]] = field(default_factory=dict)
    auto_rollback: bool = True
