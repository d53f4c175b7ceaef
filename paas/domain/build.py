"""A Build: one attempt to turn a commit into an artifact."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.domain.ids import AppId, BuildId, Commit
from paas.domain.process import Manifest


class BuildState(StrEnum):
    """How far a build has come."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Slug:
    """The artifact of the process engine: a folder with `tree/` (the commit's files) and its own environment.

    `key` names the slug by what went into it; the folder is `Settings.slugs / key`.
    `path` lists the folders, relative to the slug, that go in front of PATH; `links` maps names in a
    working tree to folders of the slug that are shared read-only there, such as `node_modules`.
    """

    key: str
    path: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """The artifact of the docker and swarm engines: an image known by its digest, the id that Docker gives it.

    `port` is the one that the image itself says its web listens on: PORT is that number in its instances. None where
    the app listens on whatever PORT says.
    """

    digest: str
    reference: str
    port: int | None = None


Artifact = Slug | Image


@dataclass(frozen=True, slots=True)
class Build:
    """One build. `artifact` and `manifest` are there when it succeeded; `reason` says why it failed."""

    id: BuildId
    app: AppId
    commit: Commit
    ref: str
    builder: str
    state: BuildState
    created_at: datetime
    ended_at: datetime | None = None
    artifact: Artifact | None = None
    manifest: Manifest | None = None
    reason: str = ""
    actor: str = ""
