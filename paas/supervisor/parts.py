"""What the acting parts of one supervisor share. It holds them together and does nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paas.clock import Clock
from paas.engines.base import Engine
from paas.store.database import Store
from paas.supervisor.observations import Observations
from paas.supervisor.ports import Lines


@dataclass(frozen=True, slots=True)
class Parts:
    """The store, the engine and the log plane, and the memory that what is done with them is noted in."""

    store: Store
    engine: Engine
    lines: Lines
    clock: Clock
    boot_id: str
    """This boot of the machine: what was started under another one is lost."""
    server: Mapping[str, str]
    """The server's own environment."""
    observations: Observations
    wake: Callable[[], None]
