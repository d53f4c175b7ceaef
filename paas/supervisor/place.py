"""A Place: where an instance belongs. Two copies may share one for a while (a restart); it says nothing of either."""

from dataclasses import dataclass

from paas.domain.ids import AppId, ReleaseId
from paas.domain.instance import Instance
from paas.domain.names import ProcessType


@dataclass(frozen=True, slots=True)
class Place:
    """One slot of one release of one app: `web.1` of v42."""

    app: AppId
    release: ReleaseId
    type: ProcessType
    index: int

    @property
    def name(self) -> str:
        return f"{self.type}.{self.index}"


def place_of(instance: Instance) -> Place:
    """Return where `instance` belongs."""
    return Place(instance.app, instance.release, instance.type, instance.index)
