"""Builds: begun, then ended once. Whether an artifact was pruned since is said beside the build, never in it."""

from sqlalchemy import Connection, RowMapping, insert, select, update

from paas.clock import Clock, rfc3339
from paas.domain.build import Artifact, Build, BuildState
from paas.domain.event import EventKind
from paas.domain.ids import AppId, BuildId, Commit, new_id
from paas.domain.process import Manifest
from paas.errors import ConflictError, NotFoundError
from paas.store.apps import living
from paas.store.codec import (
    decode_artifact,
    decode_manifest,
    decode_moment,
    decode_optional_moment,
    encode_artifact,
    encode_manifest,
)
from paas.store.connections import Connections, Query
from paas.store.events import record
from paas.store.prefix import by_prefix
from paas.store.schema import builds, pruned_artifacts


class Builds:
    """The builds of every app."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    def begin(self, app: AppId, *, commit: Commit, ref: str, builder: str, actor: str) -> Build:
        """Return a new RUNNING build; raises NotFoundError where the app was destroyed."""
        id = BuildId(new_id())
        with self._connections.write() as connection:
            living(connection, app)
            connection.execute(
                insert(builds).values(
                    id=id,
                    app=app,
                    commit=commit,
                    ref=ref,
                    builder=builder,
                    state=BuildState.RUNNING,
                    created_at=rfc3339(self._clock.now()),
                    reason="",
                    actor=actor,
                )
            )
            build = _by_id(connection, id)
            self._tell(connection, EventKind.BUILD_STARTED, build, cause=f"build of {commit[:7]}")
            return build

    def succeed(self, id: BuildId, *, artifact: Artifact, manifest: Manifest) -> Build:
        """End a build with what it made; raises ConflictError where it has already ended."""
        values = {"artifact": encode_artifact(artifact), "manifest": encode_manifest(manifest)}
        return self._end(id, state=BuildState.SUCCEEDED, **values)

    def fail(self, id: BuildId, *, state: BuildState, reason: str) -> Build:
        """End a build as FAILED or CANCELLED and say why; raises ConflictError where it has already ended."""
        return self._end(id, state=state, reason=reason)

    def get(self, app: AppId, id: str) -> Build:
        """Return an app's build by its id or a unique beginning of it; raises NotFoundError, or InvalidError."""
        with self._connections.read() as connection:
            return _by_id(
                connection, BuildId(by_prefix(connection, builds, app=app, prefix=id, noun="build"))
            )

    def get_by_id(self, id: BuildId) -> Build:
        """Return a build; raises NotFoundError."""
        with self._connections.read() as connection:
            return _by_id(connection, id)

    def reusable(self, app: AppId, *, commit: Commit, builder: str) -> Build | None:
        """Return the newest build of that commit by that builder whose artifact is still there."""
        found = self._all(
            _succeeded()
            .where(builds.c.app == app, builds.c.commit == commit, builds.c.builder == builder)
            .order_by(builds.c.sequence.desc())
            .limit(1)
        )
        return found[0] if found else None

    def running(self) -> list[Build]:
        """Return what a control plane that died has left RUNNING, oldest first."""
        return self._all(_select().where(builds.c.ended_at.is_(None)).order_by(builds.c.sequence))

    def mark_pruned(self, id: BuildId) -> None:
        """Record that a build's artifact is gone; repeating it does nothing."""
        with self._connections.write() as connection:
            if _by_id(connection, id).artifact is not None:
                connection.execute(insert(pruned_artifacts).values(build=id, at=rfc3339(self._clock.now())))

    def artifacts(self) -> list[tuple[AppId, BuildId, Artifact]]:
        """Return every artifact that was not pruned, newest first, destroyed apps' too."""
        found = self._all(_succeeded().order_by(builds.c.sequence.desc()))
        return [(build.app, build.id, build.artifact) for build in found if build.artifact is not None]

    def pruned(self) -> list[Artifact]:
        """Return the artifacts that `mark_pruned` was told of; another build may have the same one."""
        rows = self._connections.rows(
            select(builds.c.artifact).join(pruned_artifacts, pruned_artifacts.c.build == builds.c.id)
        )
        return [decode_artifact(row[builds.c.artifact]) for row in rows]

    def _end(self, id: BuildId, *, state: BuildState, **values: str) -> Build:
        with self._connections.write() as connection:
            build = _by_id(connection, id)
            if build.state is not BuildState.RUNNING:
                raise ConflictError(f"The build {id} has already ended: it {build.state}.")
            connection.execute(
                update(builds)
                .where(builds.c.id == id)
                .values(state=state, ended_at=rfc3339(self._clock.now()), **values)
            )
            ended = _by_id(connection, id)
            kind = EventKind.BUILD_SUCCEEDED if state is BuildState.SUCCEEDED else EventKind.BUILD_FAILED
            self._tell(connection, kind, ended, cause=ended.reason or f"build of {ended.commit[:7]}")
            return ended

    def _tell(self, connection: Connection, kind: EventKind, build: Build, *, cause: str) -> None:
        """Record an event of a build inside the transaction of what it tells of."""
        record(
            connection,
            kind,
            at=rfc3339(self._clock.now()),
            app=build.app,
            actor=build.actor,
            cause=cause,
            details={"build": build.id, "commit": build.commit},
        )

    def _all(self, query: Query) -> list[Build]:
        return [_build_from(row) for row in self._connections.rows(query)]

    def list(self, app: AppId, *, limit: int = 15) -> list[Build]:
        """Return an app's builds, newest first."""
        return self._all(_select().where(builds.c.app == app).order_by(builds.c.sequence.desc()).limit(limit))


def _select() -> Query:
    return select(builds, pruned_artifacts.c.at).outerjoin(
        pruned_artifacts, pruned_artifacts.c.build == builds.c.id
    )


def _succeeded() -> Query:
    return _select().where(builds.c.state == BuildState.SUCCEEDED, pruned_artifacts.c.at.is_(None))


def _by_id(connection: Connection, id: BuildId) -> Build:
    row = connection.execute(_select().where(builds.c.id == id)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no build {id}.")
    return _build_from(row)


def _build_from(row: RowMapping) -> Build:
    artifact = None if row[pruned_artifacts.c.at] else row[builds.c.artifact]
    manifest = row[builds.c.manifest]
    return Build(
        id=row[builds.c.id],
        app=row[builds.c.app],
        commit=row[builds.c.commit],
        ref=row[builds.c.ref],
        builder=row[builds.c.builder],
        state=BuildState(row[builds.c.state]),
        created_at=decode_moment(row[builds.c.created_at]),
        ended_at=decode_optional_moment(row[builds.c.ended_at]),
        artifact=artifact and decode_artifact(artifact),
        manifest=manifest and decode_manifest(manifest),
        reason=row[builds.c.reason],
        actor=row[builds.c.actor],
    )
