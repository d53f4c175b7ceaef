"""Routes, and the table that the router works from."""

from dataclasses import dataclass, field

from paas.domain.ids import AppId, InstanceId
from paas.domain.names import AppName


@dataclass(frozen=True, slots=True)
class Backend:
    """One routable address of one healthy instance. One that left the table finishes what it has and gets no more."""

    instance: InstanceId
    name: str
    """The instance's name, for the log line: `web.1`."""
    version: int
    address: str
    """`HOST:PORT`."""


@dataclass(frozen=True, slots=True)
class RoutedApp:
    """One app in the table: its hosts (exact, or `*.` in front) and the backends that may get a request now."""

    app: AppId
    name: AppName
    hosts: tuple[str, ...]
    backends: tuple[Backend, ...]
    maintenance: bool = False


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All routes at one moment. `version` rises with every change; a router never goes back."""

    version: int
    apps: tuple[RoutedApp, ...] = field(default=())
