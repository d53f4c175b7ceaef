"""A Release: build plus config, numbered per app, immutable. Which one serves is said elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.domain.ids import AppId, BuildId, Commit, ConfigId, DeploymentId, ReleaseId
from paas.domain.process import Manifest


class ReleaseKind(StrEnum):
    """Which command made the release."""

    DEPLOY = "deploy"
    CONFIG = "config"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Release:
    """One release. `build` and `commit` are None before the first build (such a release starts nothing).

    `origin` is the version whose build and config this release carries: its own, or for a rollback
    the one that it goes back to (followed to its own origin).
    """

    id: ReleaseId
    app: AppId
    version: int
    kind: ReleaseKind
    description: str
    build: BuildId | None
    commit: Commit | None
    config: ConfigId
    manifest: Manifest | None
    origin: int
    actor: str
    created_at: datetime
    content_hash: str

    @property
    def name(self) -> str:
        return f"v{self.version}"


class DeploymentState(StrEnum):
    """How far the act of making a release current has come."""

    QUEUED = "queued"
    BUILDING = "building"
    RELEASING = "releasing"
    STARTING = "starting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (DeploymentState.SUCCEEDED, DeploymentState.FAILED, DeploymentState.CANCELLED)


class DeploymentKind(StrEnum):
    """What asked for the deployment."""

    PUSH = "push"
    CONFIG = "config"
    ROLLBACK = "rollback"
    REVERT = "revert"
    """A rollback that the platform made by itself after a release crashed in its first minute."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The act of making a release current. `code` is an error code of `paas.errors` where it failed."""

    id: DeploymentId
    app: AppId
    kind: DeploymentKind
    state: DeploymentState
    actor: str
    created_at: datetime
    ended_at: datetime | None = None
    build: BuildId | None = None
    release: ReleaseId | None = None
    code: str = ""
    reason: str = ""
