"""Domain values as documents: pure, no look-ups."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from api import schemas
from paas import errors
from paas.domain.build import Build, Image, Slug
from paas.domain.certificate import Certificate
from paas.domain.config import Secret
from paas.domain.event import Event
from paas.domain.log import LogLine
from paas.domain.names import AppName, ProcessType
from paas.domain.release import Deployment, DeploymentState, Release
from paas.domain.route import RoutedApp, pinned_host
from paas.settings import Address
from releases import history
from releases.history import Differing

V = TypeVar("V")

_PORTS = {"http": 80, "https": 443}
"""What a URL leaves out."""

_RELEASE_STATUS = {
    DeploymentState.SUCCEEDED: "succeeded",
    DeploymentState.FAILED: "failed",
    DeploymentState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the router listens."""

    http: Address
    https: Address | None


def app_url(name: str, http: Address) -> str:
    """Return where an app is reached through the router."""
    return _url("http", f"{name}.localhost", http)


def release_url(name: AppName, version: int, doors: Doors, *, hosts: Collection[str]) -> str | None:
    """Return where one release alone is reached; None where it is not among the routed `hosts`."""
    host = pinned_host(name, version)
    return _url("http", host, doors.http) if host in hosts else None


def _url(scheme: str, host: str, address: Address) -> str:
    port = "" if address.port == _PORTS[scheme] else f":{address.port}"
    return f"{scheme}://{host}{port}"


def build(value: Build) -> schemas.Build:
    """Return a build's document."""
    manifest = value.manifest
    return schemas.Build(
        id=value.id,
        commit=value.commit,
        ref=value.ref,
        builder=value.builder,
        state=value.state.value,
        reason=value.reason,
        artifact=_artifact_name(value),
        process_types={str(name): command for name, command in manifest.procfile.commands.items()}
        if manifest
        else {},
        actor=value.actor,
        created_at=value.created_at,
        ended_at=value.ended_at,
    )


def _artifact_name(value: Build) -> str | None:
    match value.artifact:
        case Slug(key=key):
            return key
        case Image(digest=digest):
            return digest
        case None:
            return None


def deployment(
    value: Deployment, *, app: str, url: str, release: int | None, serving: int | None
) -> schemas.Deployment:
    """Return a deployment's document."""
    return schemas.Deployment(
        id=value.id,
        app=app,
        kind=value.kind.value,
        state=value.state.value,
        code=value.code,
        exit_code=errors.exit_code(value.code) if value.code else 0,
        reason=value.reason,
        changed=not (value.state is DeploymentState.SUCCEEDED and value.release is None),
        build=value.build,
        release=release,
        serving=serving,
        url=url,
        actor=value.actor,
        created_at=value.created_at,
        ended_at=value.ended_at,
    )


def release(
    value: Release,
    made_by: Deployment,
    *,
    current: bool,
    config_keys: Sequence[str],
    rollback_target: bool,
    url: str | None,
) -> schemas.Release:
    """Return a release's document; `made_by` is the deployment that made it."""
    manifest = value.manifest
    return schemas.Release(
        version=value.version,
        kind=value.kind.value,
        description=value.description,
        commit=value.commit,
        build=value.build,
        status=_RELEASE_STATUS.get(made_by.state, "pending"),  # type: ignore[arg-type]  # a table of the literals
        reason=made_by.reason,
        current=current,
        actor=value.actor,
        created_at=value.created_at,
        config_keys=sorted(config_keys),
        process_types={str(name): command for name, command in manifest.procfile.commands.items()}
        if manifest
        else {},
        origin=value.origin,
        rollback_target=rollback_target,
        url=url,
    )


def diff(value: history.Difference, *, reveal: bool) -> schemas.ReleaseDiff:
    """Return the document of a comparison; config values are hidden unless they are to be revealed."""
    return schemas.ReleaseDiff(
        a=value.a.version,
        b=value.b.version,
        commit_a=value.a.commit,
        commit_b=value.b.commit,
        config=config_changes(value.config, reveal=reveal),
        process_types=[_change(each, str) for each in value.process_types],
        commits=list(value.commits),
    )


def rollback_preview(value: history.RollbackPreview) -> schemas.RollbackPreview:
    """Return the document of what a rollback would do; config values stay hidden."""
    return schemas.RollbackPreview(
        target=value.target.version,
        current=value.current.version,
        commit=value.target.commit,
        config_changes=config_changes(value.config, reveal=False),
    )


def config_changes(differing: Sequence[Differing[Secret]], *, reveal: bool) -> list[schemas.ConfigChange]:
    """Return one document a variable."""
    return [_change(each, Secret.reveal if reveal else str) for each in differing]


def _change(each: Differing[V], shown: Callable[[V], str]) -> schemas.ConfigChange:
    return schemas.ConfigChange(
        key=each.key,
        change=each.change,
        before=None if each.before is None else shown(each.before),
        after=None if each.after is None else shown(each.after),
    )


def formation(counts: dict[ProcessType, int], current: Release | None) -> schemas.Formation:
    """Return how many of each type that can be scaled there should be."""
    manifest = current.manifest if current else None
    commands = manifest.procfile.commands if manifest else {}
    types = manifest.procfile.long_running if manifest else ()
    return schemas.Formation(
        types={str(name): counts.get(name, 0) for name in types},
        commands={str(name): command for name, command in commands.items()},
    )


def log_line(line: LogLine) -> schemas.LogLine:
    """Return a log line's document."""
    return schemas.LogLine(
        sequence=line.sequence,
        at=line.at,
        source="mini" if line.source == "mini" else "app",
        instance=line.instance,
        release=line.version,
        text=line.text,
    )


def domain(
    host: str, *, created_at: datetime | None, certificate: Certificate | None, doors: Doors
) -> schemas.Domain:
    """Return the document of one of an app's hosts."""
    return schemas.Domain(
        host=host,
        created_at=created_at,
        url=_url("https", host, doors.https)
        if certificate and doors.https
        else _url("http", host, doors.http),
        tls=_certificate(certificate) if certificate else None,
    )


def _certificate(value: Certificate) -> schemas.Certificate:
    return schemas.Certificate(
        origin=value.origin.value, fingerprint=value.fingerprint, expires_at=value.expires_at
    )


def routes(app: RoutedApp) -> list[schemas.Route]:
    """Return one document for each host of a routed app."""
    backends = [backend.name for backend in app.backends]
    secure = {certificate.host for certificate in app.certificates}
    return [
        schemas.Route(
            host=host, app=app.name, backends=backends, tls=host in secure, maintenance=app.maintenance
        )
        for host in app.hosts
    ]


def event(value: Event, *, names: dict[str, str]) -> schemas.Event:
    """Return an event's document; `names` maps app ids to names."""
    return schemas.Event(
        id=value.id,
        at=value.at,
        kind=value.kind.value,
        app=names.get(value.app, value.app) if value.app else None,
        actor=value.actor,
        cause=value.cause,
        details=dict(value.details),
    )


def counted(states: Collection[str], *those: str) -> int | None:
    """Return how many of an engine's instances are in one of those states; None where that is unknown of some."""
    return None if "unknown" in states else sum(state in those for state in states)
