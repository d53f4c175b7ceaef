"""What an app does, in words that every engine's tests can act out. It says nothing of how."""

from dataclasses import dataclass
from enum import StrEnum


class OnTerm(StrEnum):
    """What an app makes of SIGTERM."""

    DIE = "die"
    """It ends by the signal."""
    EXIT = "exit"
    """It ends in order, with code 0."""
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One way to behave. Without any part set: run quietly until told to stop."""

    prints: tuple[str, ...] = ()
    """Lines printed at the start, before anything else."""
    listens: bool = False
    """Whether it listens on its own port ..."""
    listens_after: float = 0.0
    """... so many seconds after its start ..."""
    port_shift: int = 0
    """... or on a port so far from its own."""
    exits: int | None = None
    """The code it exits with by itself."""
    exits_after: float = 0.0
    """When it does, in seconds after its start."""
    on_term: OnTerm = OnTerm.DIE
    echoes: bool = False
    """Whether it prints what it is given until its input ends, and then exits with code 0."""


SERVES = Behaviour(listens=True)
IDLES = Behaviour()
