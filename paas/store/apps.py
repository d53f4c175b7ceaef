"""Apps: created, renamed, destroyed. A destroyed one leaves a tombstone; its name is free and its secrets are gone."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from paas.clock import Clock, rfc3339
from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.ids import AppId, ReleaseId, new_id
from paas.domain.names import AppName
from paas.errors import NameTakenError, NotFoundError
from paas.store.codec import decode_moment
from paas.store.connections import Connections
from paas.store.datakeys import DataKeys
from paas.store.events import record
from paas.store.schema import apps, domains, formations, releases, slots, switches, traffic


class Apps:
    """The apps of a home."""

    def __init__(self, connections: Connections, *, data_keys: DataKeys, clock: Clock) -> None:
        self._connections = connections
        self._data_keys = data_keys
        self._clock = clock

    def create(self, name: AppName) -> App:
        """Return a new app with a data key of its own; raises NameTakenError where a living app has the name."""
        app = App(AppId(new_id()), name, self._clock.now())
        with self._connections.write() as connection:
            _refuse_taken(connection, name)
            connection.execute(
                insert(apps).values(id=app.id, name=app.name, created_at=rfc3339(app.created_at))
            )
            self._data_keys.create(connection, app.id)
        return app

    def get(self, name: AppName) -> App:
        """Return the living app of that name; raises NotFoundError that names the apps there are."""
        with self._connections.read() as connection:
            if row := _living_by_name(connection, name):
                return app_from(row)
            names = connection.scalars(
                select(apps.c.name).where(apps.c.destroyed_at.is_(None)).order_by(apps.c.name)
            ).all()
        raise NotFoundError(f"There is no app {name}. {_there_are(names)}")

    def find(self, name: AppName) -> App | None:
        """Return the living app of that name, None where there is none."""
        with self._connections.read() as connection:
            row = _living_by_name(connection, name)
        return None if row is None else app_from(row)

    def get_by_id(self, id: AppId) -> App:
        """Return an app, a destroyed one too: what is left of it still shows its name. Raises NotFoundError."""
        with self._connections.read() as connection:
            row = connection.execute(select(apps).where(apps.c.id == id)).mappings().first()
        if row is None:
            raise NotFoundError(f"There is no app with the id {id}.")
        return app_from(row)

    def list(self) -> list[App]:
        """Return the living apps by name."""
        living = select(apps).where(apps.c.destroyed_at.is_(None)).order_by(apps.c.name)
        return [app_from(row) for row in self._connections.rows(living)]

    def serving_since(self) -> dict[ReleaseId, datetime]:
        """Return when each release that serves was switched to."""
        latest = func.max(switches.c.at).label("at")
        current = (switches.c.app == apps.c.id) & (switches.c.release == apps.c.current)
        query = select(switches.c.release, latest).join(apps, current).group_by(switches.c.release)
        return {row["release"]: decode_moment(row["at"]) for row in self._connections.rows(query)}

    def rename(self, id: AppId, name: AppName) -> App:
        """Give a living app another name; raises NameTakenError, or NotFoundError once it was destroyed."""
        with self._connections.write() as connection:
            row = living(connection, id)
            if row[apps.c.name] != name:
                _refuse_taken(connection, name)
                connection.execute(update(apps).where(apps.c.id == id).values(name=name))
            return app_from(living(connection, id))

    def destroy(self, id: AppId, *, actor: str) -> None:
        """Make an app's secrets unreadable, free its name, drop its domains (and their certificates) and
        formation, and record that it was destroyed. Its releases stay.

        Raises NotFoundError where it is already destroyed.
        """
        at = rfc3339(self._clock.now())
        with self._connections.write() as connection:
            name = living(connection, id)[apps.c.name]
            self._data_keys.delete(connection, id)
            for table in (domains, formations, slots, traffic):
                connection.execute(delete(table).where(table.c.app == id))
            connection.execute(update(apps).where(apps.c.id == id).values(current=None, destroyed_at=at))
            kind, cause = EventKind.APP_DESTROYED, f"{name} was destroyed"
            record(connection, kind, at=at, app=id, actor=actor, cause=cause, details={})
        self._connections.truncate_journal()

    def switch(self, id: AppId, release: ReleaseId) -> None:
        """Make a release of the app its current one; raises NotFoundError where it is not the app's."""
        with self._connections.write() as connection:
            switch(connection, id, release, at=rfc3339(self._clock.now()))


def app_from(row: RowMapping) -> App:
    """Return the app in a row of `apps`."""
    return App(
        id=row[apps.c.id],
        name=row[apps.c.name],
        created_at=decode_moment(row[apps.c.created_at]),
        current=row[apps.c.current],
    )


def living(connection: Connection, id: AppId) -> RowMapping:
    """Return an app's row; raises NotFoundError where it was destroyed, so that nothing is added to a tombstone."""
    row = connection.execute(select(apps).where(apps.c.id == id)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no app with the id {id}.")
    if row[apps.c.destroyed_at] is not None:
        raise NotFoundError(f"The app {row[apps.c.name]} was destroyed. Create it again to go on.")
    return row


def switch(connection: Connection, id: AppId, release: ReleaseId, *, at: str) -> None:
    """Make a release the current one of its app, inside a caller's transaction; raises NotFoundError."""
    name = living(connection, id)[apps.c.name]
    owner = connection.scalar(select(releases.c.app).where(releases.c.id == release))
    if owner != id:
        raise NotFoundError(f"The app {name} has no release with the id {release}.")
    connection.execute(update(apps).where(apps.c.id == id).values(current=release))
    connection.execute(insert(switches).values(app=id, release=release, at=at))


def _living_by_name(connection: Connection, name: AppName) -> RowMapping | None:
    query = select(apps).where(apps.c.name == name, apps.c.destroyed_at.is_(None))
    return connection.execute(query).mappings().first()


def _refuse_taken(connection: Connection, name: AppName) -> None:
    if _living_by_name(connection, name):
        raise NameTakenError(f"The name {name} is taken by another app. Choose another one.")


def _there_are(names: Sequence[str]) -> str:
    return f"There are: {', '.join(names)}." if names else "There are none yet: `mini create NAME` makes one."
