"""An App: a named namespace that owns releases, config, formation and routes."""

from dataclasses import dataclass
from datetime import datetime

from paas.domain.ids import AppId, ReleaseId
from paas.domain.names import AppName


@dataclass(frozen=True, slots=True)
class App:
    """One app. `current` is the release that serves, None before the first one."""

    id: AppId
    name: AppName
    created_at: datetime
    current: ReleaseId | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """A host name that a user added to an app."""

    app: AppId
    host: str
    created_at: datetime
