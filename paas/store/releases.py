"""Releases: numbered without gaps, sealed, never changed. Which one serves, and how it went, is said elsewhere."""

from sqlalchemy import Column, Connection, RowMapping, Table, func, insert, select, update

from paas.clock import Clock, rfc3339
from paas.domain.app import App
from paas.domain.build import Build
from paas.domain.ids import AppId, BuildId, ConfigId, DeploymentId, ReleaseId, new_id
from paas.domain.release import Deployment, DeploymentState, Release, ReleaseKind
from paas.errors import ConflictError, NotFoundError
from paas.store.apps import app_from, living
from paas.store.codec import decode_manifest, decode_moment
from paas.store.connections import Connections, Query
from paas.store.deployments import deployment_from
from paas.store.schema import apps, builds, config_sets, deployments, releases, switches
from paas.store.seal import Seal

SERVED_LIMIT = 100


class Releases:
    """The releases of every app."""

    def __init__(self, connections: Connections, *, seal: Seal, clock: Clock) -> None:
        self._connections = connections
        self._seal = seal
        self._clock = clock

    def create(
        self,
        app: AppId,
        *,
        kind: ReleaseKind,
        description: str,
        build: Build | None,
        config: ConfigId,
        origin: int | None,
        actor: str,
        deployment: DeploymentId,
    ) -> Release:
        """Return the app's next release and make it, and its build, the deployment's; `origin` None means its own number.

        Raises NotFoundError where the app was destroyed or the config is not its own, ConflictError where the
        deployment already has a release or has ended.
        """
        id = ReleaseId(new_id())
        built = build.id if build else None
        with self._connections.write() as connection:
            living(connection, app)
            _check_parts(connection, app, build=build, config=config)
            version = _next_version(connection, app)
            connection.execute(
                insert(releases).values(
                    id=id,
                    app=app,
                    version=version,
                    kind=kind,
                    description=description,
                    build=built,
                    config=config,
                    origin=origin or version,
                    actor=actor,
                    created_at=rfc3339(self._clock.now()),
                    content_hash=self._seal.of(connection, app=app, build=built, config=config),
                )
            )
            _give(connection, deployment, app=app, release=id, build=built)
            return _by_id(connection, id)

    def get(self, app: AppId, version: int) -> Release:
        """Return an app's release by its number; raises NotFoundError that names the newest."""
        with self._connections.read() as connection:
            query = _select().where(releases.c.app == app, releases.c.version == version)
            row = connection.execute(query).mappings().first()
            newest = _next_version(connection, app) - 1
        if row is None:
            there = f"The newest is v{newest}." if newest else "There are none yet: `mini push` makes one."
            raise NotFoundError(f"The app has no release v{version}. {there}")
        return _release_from(row)

    def get_by_id(self, id: ReleaseId) -> Release:
        """Return a release to be activated; raises NotFoundError, or DamagedStoreError where its content was changed."""
        with self._connections.read() as connection:
            release = _by_id(connection, id)
            self._seal.check(connection, release)
        return release

    def latest(self, app: AppId) -> Release | None:
        """Return the app's newest release, served or not."""
        found = self._all(_select().where(releases.c.app == app).order_by(releases.c.version.desc()).limit(1))
        return found[0] if found else None

    def served(self, app: AppId) -> list[Release]:
        """Return the releases that were ever current, the newest switch first, 100 at most."""
        newest = (
            select(switches.c.release, switches.c.sequence)
            .where(switches.c.app == app)
            .order_by(switches.c.sequence.desc())
            .limit(SERVED_LIMIT)
            .subquery()
        )
        found = self._all(
            _select().join(newest, newest.c.release == releases.c.id).order_by(newest.c.sequence.desc())
        )
        return list({release.id: release for release in found}.values())

    def serving(self) -> list[tuple[App, Release]]:
        """Return every living app that has a current release, with it, by name."""
        return self._with_app(select(*_with_build(), apps).join(apps, apps.c.current == releases.c.id))

    def candidates(self) -> list[tuple[App, Release]]:
        """Return the releases that deployments in state STARTING boot beside the current ones."""
        return self._with_app(
            select(*_with_build(), apps)
            .join(deployments, deployments.c.release == releases.c.id)
            .join(apps, apps.c.id == releases.c.app)
            .where(deployments.c.state == DeploymentState.STARTING, deployments.c.ended_at.is_(None))
        )

    def _with_app(self, query: Query) -> list[tuple[App, Release]]:
        query = query.outerjoin(builds, builds.c.id == releases.c.build)
        query = query.where(apps.c.destroyed_at.is_(None)).order_by(apps.c.name)
        return [(app_from(row), _release_from(row)) for row in self._connections.rows(query)]

    def _all(self, query: Query) -> list[Release]:
        return [_release_from(row) for row in self._connections.rows(query)]

    def list(self, app: AppId, *, limit: int) -> list[tuple[Release, Deployment]]:
        """Return the app's releases, newest first, each with the deployment that made it."""
        query = (
            select(releases, builds.c.commit, builds.c.manifest, deployments)
            .outerjoin(builds, builds.c.id == releases.c.build)
            .join(deployments, deployments.c.release == releases.c.id)
            .where(releases.c.app == app)
            .order_by(releases.c.version.desc())
            .limit(limit)
        )
        return [(_release_from(row), deployment_from(row)) for row in self._connections.rows(query)]


def _with_build() -> tuple[Table, Column[str], Column[str]]:
    return releases, builds.c.commit, builds.c.manifest


def _select() -> Query:
    return select(*_with_build()).outerjoin(builds, builds.c.id == releases.c.build)


def _by_id(connection: Connection, id: ReleaseId) -> Release:
    row = connection.execute(_select().where(releases.c.id == id)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no release with the id {id}.")
    return _release_from(row)


def _next_version(connection: Connection, app: AppId) -> int:
    newest = connection.scalar(select(func.max(releases.c.version)).where(releases.c.app == app))
    return (newest or 0) + 1


def _check_parts(connection: Connection, app: AppId, *, build: Build | None, config: ConfigId) -> None:
    if connection.scalar(select(config_sets.c.app).where(config_sets.c.id == config)) != app:
        raise NotFoundError(f"The app has no config {config}.")
    if build is not None and build.app != app:
        raise NotFoundError(f"The app has no build {build.id}.")


def _give(
    connection: Connection,
    deployment: DeploymentId,
    *,
    app: AppId,
    release: ReleaseId,
    build: BuildId | None,
) -> None:
    open_without_release = (
        deployments.c.id == deployment,
        deployments.c.app == app,
        deployments.c.release.is_(None),
        deployments.c.ended_at.is_(None),
    )
    given = connection.execute(
        update(deployments).where(*open_without_release).values(release=release, build=build)
    )
    if given.rowcount != 1:
        raise ConflictError(f"The deployment {deployment} has ended or has a release already.")


def _release_from(row: RowMapping) -> Release:
    manifest = row[builds.c.manifest]
    return Release(
        id=row[releases.c.id],
        app=row[releases.c.app],
        version=row[releases.c.version],
        kind=ReleaseKind(row[releases.c.kind]),
        description=row[releases.c.description],
        build=row[releases.c.build],
        commit=row[builds.c.commit],
        config=row[releases.c.config],
        manifest=manifest and decode_manifest(manifest),
        origin=row[releases.c.origin],
        actor=row[releases.c.actor],
        created_at=decode_moment(row[releases.c.created_at]),
        content_hash=row[releases.c.content_hash],
    )
