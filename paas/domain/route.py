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
    ticket: str = ""
    """What a browser keeps to come back to this backend, where the app's sessions are sticky."""


@dataclass(frozen=True, slots=True)
class RoutedCertificate:
    """The file with the certificate and the private key of one host. Another certificate is another file."""

    host: str
    path: str


@dataclass(frozen=True, slots=True)
class RoutedApp:
    """One app in the table: its hosts (exact, or `*.` in front) and the backends that may get a request now.

    A release that is being deployed has an entry of its own beside its app's: `pinned` is its version, and its
    one host reaches no other release.
    """

    app: AppId
    name: AppName
    hosts: tuple[str, ...]
    backends: tuple[Backend, ...]
    maintenance: bool = False
    sticky: bool = False
    certificates: tuple[RoutedCertificate, ...] = ()
    pinned: int | None = None


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All routes at one moment. `version` rises with every change; a router never goes back."""

    version: int
    apps: tuple[RoutedApp, ...] = field(default=())


def pinned_host(name: AppName, version: int) -> str:
    """Return the host that reaches one release alone, while it runs. No app's name has `--` in it."""
    return f"v{version}--{name}.localhost"
