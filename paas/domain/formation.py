"""Formation: how many instances of each process type an app should have. Never versioned."""

from collections.abc import Mapping
from dataclasses import dataclass

from paas.domain.names import ProcessType

Formation = Mapping[ProcessType, int]


@dataclass(frozen=True, slots=True)
class Slot:
    """What an operator asked of one place in a formation, such as web.2.

    `epoch` rises with each `restart`: an instance started under a lower one is to be replaced.
    `stopped_for` is the version that `mini stop TYPE.N` stopped the slot for, None where it should run.
    """

    type: ProcessType
    index: int
    epoch: int = 0
    stopped_for: int | None = None
