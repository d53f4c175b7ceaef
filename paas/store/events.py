"""Events: facts about the past, appended and read, never changed."""

from collections.abc import Mapping

from sqlalchemy import Connection, RowMapping, insert, select

from paas.clock import Clock, rfc3339
from paas.domain.event import Event, EventKind
from paas.domain.ids import AppId
from paas.store.codec import decode_details, decode_moment, encode_details
from paas.store.connections import Connections
from paas.store.schema import events


class Events:
    """The events of a home, in the order they happened."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    def append(
        self,
        kind: EventKind,
        *,
        app: AppId | None,
        actor: str,
        cause: str,
        details: Mapping[str, str | int] = {},
    ) -> Event:
        """Record a fact and return it; `details` never holds a config value."""
        at = rfc3339(self._clock.now())
        with self._connections.write() as connection:
            id = record(connection, kind, at=at, app=app, actor=actor, cause=cause, details=details)
            return _event_from(connection.execute(select(events).where(events.c.id == id)).mappings().one())

    def list(self, app: AppId | None, *, limit: int, after: int = 0) -> list[Event]:
        """Return events oldest first, of one app or of all: the first `limit` after the id `after`, or, with 0,
        the newest `limit`."""
        query = select(events) if app is None else select(events).where(events.c.app == app)
        order = events.c.id.asc() if after else events.c.id.desc()
        query = query.where(events.c.id > after).order_by(order).limit(limit)
        found = [_event_from(row) for row in self._connections.rows(query)]
        return sorted(found, key=lambda event: event.id)


def record(
    connection: Connection,
    kind: EventKind,
    *,
    at: str,
    app: AppId | None,
    actor: str,
    cause: str,
    details: Mapping[str, str | int],
) -> int:
    """Append an event inside the transaction of what it tells of, and return its id."""
    values = {"at": at, "kind": kind, "app": app, "actor": actor, "cause": cause}
    row = insert(events).values(**values, details=encode_details(details))
    id: int = connection.execute(row.returning(events.c.id)).scalar_one()
    return id


def _event_from(row: RowMapping) -> Event:
    return Event(
        id=row["id"],
        at=decode_moment(row["at"]),
        kind=EventKind(row["kind"]),
        app=row["app"],
        actor=row["actor"],
        cause=row["cause"],
        details=decode_details(row["details"]),
    )
