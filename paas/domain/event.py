"""Events: facts about the past, append-only, each with its actor and its cause in a user's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from paas.domain.ids import AppId


class EventKind(StrEnum):
    """What happened, in the past tense."""

    APP_CREATED = "AppCreated"
    APP_RENAMED = "AppRenamed"
    APP_DESTROYED = "AppDestroyed"
    BUILD_STARTED = "BuildStarted"
    BUILD_SUCCEEDED = "BuildSucceeded"
    BUILD_FAILED = "BuildFailed"
    RELEASE_CREATED = "ReleaseCreated"
    DEPLOYMENT_SUCCEEDED = "DeploymentSucceeded"
    DEPLOYMENT_FAILED = "DeploymentFailed"
    RELEASE_REVERTED = "ReleaseReverted"
    FORMATION_SCALED = "FormationScaled"
    INSTANCE_STARTED = "InstanceStarted"
    INSTANCE_UP = "InstanceUp"
    INSTANCE_CRASHED = "InstanceCrashed"
    INSTANCE_STOPPED = "InstanceStopped"
    INSTANCES_RESTARTED = "InstancesRestarted"
    RUN_STARTED = "RunStarted"
    RUN_ENDED = "RunEnded"
    DOMAIN_ADDED = "DomainAdded"
    DOMAIN_REMOVED = "DomainRemoved"
    CERTIFICATE_ADDED = "CertificateAdded"
    CERTIFICATE_RENEWED = "CertificateRenewed"
    MAINTENANCE_STARTED = "MaintenanceStarted"
    MAINTENANCE_ENDED = "MaintenanceEnded"
    STICKINESS_CHANGED = "StickinessChanged"
    SERVER_STARTED = "ServerStarted"
    ARTIFACT_PRUNED = "ArtifactPruned"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `id` rises by one with every event of a home; `details` never holds a config value."""

    id: int
    at: datetime
    kind: EventKind
    app: AppId | None
    actor: str
    cause: str
    details: Mapping[str, str | int] = field(default_factory=dict)
