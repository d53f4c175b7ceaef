"""Deployments: how far making a release current has come, and how it ended. `succeed` is the switch itself."""

from sqlalchemy import Connection, RowMapping, insert, select, update

from paas.clock import Clock, rfc3339
from paas.domain.event import EventKind
from paas.domain.ids import AppId, DeploymentId, ReleaseId, new_id
from paas.domain.release import Deployment, DeploymentKind, DeploymentState
from paas.errors import ConflictError, NotFoundError
from paas.store.apps import living, switch
from paas.store.codec import decode_moment, decode_optional_moment
from paas.store.connections import Connections
from paas.store.events import record
from paas.store.prefix import by_prefix
from paas.store.schema import deployments, releases


class Deployments:
    """The deployments of every app."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    def begin(
        self,
        app: AppId,
        *,
        kind: DeploymentKind,
        actor: str,
        state: DeploymentState = DeploymentState.QUEUED,
    ) -> Deployment:
        """Return a new deployment; raises NotFoundError where the app was destroyed."""
        id = DeploymentId(new_id())
        with self._connections.write() as connection:
            living(connection, app)
            connection.execute(
                insert(deployments).values(
                    id=id,
                    app=app,
                    kind=kind,
                    state=state,
                    actor=actor,
                    created_at=rfc3339(self._clock.now()),
                    code="",
                    reason="",
                )
            )
            return _by_id(connection, id)

    def advance(self, id: DeploymentId, state: DeploymentState) -> Deployment:
        """Take a deployment that has not ended to a later state; raises ConflictError."""
        with self._connections.write() as connection:
            _open(connection, id)
            _change(connection, id, {"state": state})
            return _by_id(connection, id)

    def succeed(self, id: DeploymentId) -> Deployment:
        """Make the deployment's release the current one and say so in an event: all of it, or nothing.

        Raises ConflictError where it has ended or has no release, NotFoundError where the app was destroyed.
        """
        at = rfc3339(self._clock.now())
        with self._connections.write() as connection:
            deployment = _open(connection, id)
            if deployment.release is None:
                raise ConflictError(f"The deployment {id} has no release to switch to.")
            switch(connection, deployment.app, deployment.release, at=at)
            _change(connection, id, {"state": DeploymentState.SUCCEEDED, "ended_at": at})
            _record_success(connection, deployment, at=at)
            return _by_id(connection, id)

    def finish_unchanged(self, id: DeploymentId, *, reason: str) -> Deployment:
        """End a deployment that had nothing to do as SUCCEEDED, without a release; raises ConflictError."""
        return self._end(id, state=DeploymentState.SUCCEEDED, code="", reason=reason)

    def fail(self, id: DeploymentId, *, state: DeploymentState, code: str, reason: str) -> Deployment:
        """End a deployment as FAILED or CANCELLED and say why; raises ConflictError where it has ended."""
        return self._end(id, state=state, code=code, reason=reason)

    def get(self, app: AppId, id: str) -> Deployment:
        """Return an app's deployment by its id or a unique beginning; raises NotFoundError, or InvalidError."""
        with self._connections.read() as connection:
            found = by_prefix(connection, deployments, app=app, prefix=id, noun="deployment")
            return _by_id(connection, DeploymentId(found))

    def for_release(self, release: ReleaseId) -> Deployment:
        """Return the deployment that made a release; raises NotFoundError."""
        query = select(deployments).where(deployments.c.release == release)
        with self._connections.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError(f"There is no deployment of the release {release}.")
        return deployment_from(row)

    def open(self) -> list[Deployment]:
        """Return what a control plane that died has left without an end, oldest first."""
        query = select(deployments).where(deployments.c.ended_at.is_(None)).order_by(deployments.c.sequence)
        return [deployment_from(row) for row in self._connections.rows(query)]

    def _end(self, id: DeploymentId, *, state: DeploymentState, code: str, reason: str) -> Deployment:
        at = rfc3339(self._clock.now())
        with self._connections.write() as connection:
            _open(connection, id)
            _change(connection, id, {"state": state, "code": code, "reason": reason, "ended_at": at})
            return _by_id(connection, id)

    def list(self, app: AppId, *, limit: int) -> list[Deployment]:
        """Return an app's deployments, newest first."""
        query = select(deployments).where(deployments.c.app == app)
        query = query.order_by(deployments.c.sequence.desc()).limit(limit)
        return [deployment_from(row) for row in self._connections.rows(query)]


def deployment_from(row: RowMapping) -> Deployment:
    """Return the deployment in a row that holds the columns of `deployments`."""
    return Deployment(
        id=row[deployments.c.id],
        app=row[deployments.c.app],
        kind=DeploymentKind(row[deployments.c.kind]),
        state=DeploymentState(row[deployments.c.state]),
        actor=row[deployments.c.actor],
        created_at=decode_moment(row[deployments.c.created_at]),
        ended_at=decode_optional_moment(row[deployments.c.ended_at]),
        build=row[deployments.c.build],
        release=row[deployments.c.release],
        code=row[deployments.c.code],
        reason=row[deployments.c.reason],
    )


def _by_id(connection: Connection, id: DeploymentId) -> Deployment:
    row = connection.execute(select(deployments).where(deployments.c.id == id)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no deployment {id}.")
    return deployment_from(row)


def _open(connection: Connection, id: DeploymentId) -> Deployment:
    deployment = _by_id(connection, id)
    if deployment.state.ended:
        raise ConflictError(f"The deployment {id} has already ended: {deployment.state}.")
    return deployment


def _change(connection: Connection, id: DeploymentId, values: dict[str, str]) -> None:
    connection.execute(update(deployments).where(deployments.c.id == id).values(**values))


def _record_success(connection: Connection, deployment: Deployment, *, at: str) -> None:
    query = select(releases.c.version, releases.c.description).where(releases.c.id == deployment.release)
    version, description = connection.execute(query).one()
    record(
        connection,
        EventKind.DEPLOYMENT_SUCCEEDED,
        at=at,
        app=deployment.app,
        actor=deployment.actor,
        cause=description,
        details={"deployment": deployment.id, "version": version},
    )
