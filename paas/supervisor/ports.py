"""What the supervisor needs of the other planes, and no more: where requests go, and where lines go."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ExitStatus, Identity
from paas.domain.log import LogFilter, LogLine
from paas.domain.route import RoutingTable


class Routing(Protocol):
    """The router plane, seen from the supervisor."""

    @property
    def version(self) -> int:
        """The highest version of a table that a router may have: the next one has to be above it."""
        ...

    async def publish(self, table: RoutingTable) -> None:
        """Return once every living router works from `table`."""
        ...

    async def in_flight(self) -> Mapping[InstanceId, int]:
        """Return the requests and upgraded connections under way by instance, draining ones included."""
        ...

    async def close_backends(self, instances: Collection[InstanceId]) -> None:
        """Cut what these instances still have in flight."""
        ...


class Lines(Protocol):
    """The log plane, seen from the supervisor."""

    async def collect(self, *, id: InstanceId, app: AppId, instance: str, version: int) -> Path:
        """Return the FIFO whose lines are the instance's from now on. Repeating it is fine."""
        ...

    def witness(self, id: InstanceId, identity: Identity) -> None:
        """Have it written down how the instance ends, should no control plane be there then. Never blocks."""
        ...

    async def exit_of(self, id: InstanceId) -> ExitStatus:
        """Return how an instance ended while no control plane was there, as far as it is known."""
        ...

    async def finish(self, id: InstanceId) -> None:
        """Return when every byte in the instance's FIFO is stored; the FIFO is gone then."""
        ...

    def say(self, app: AppId, instance: str, text: str, *, version: int = 0, source: str = "mini") -> None:
        """Add a line of the platform's own, or with source `app` one of a one-off. Never blocks."""
        ...

    async def tail(
        self,
        app: AppId,
        *,
        filter: LogFilter,  # noqa: A002 - the log plane's word
        last: int,
    ) -> list[LogLine]:
        """Return the `last` lines that `filter` lets pass, oldest first."""
        ...
