"""Domains: host names that users added, each of one app. An app's own host is not among them."""

from sqlalchemy import Connection, RowMapping, delete, insert, select

from paas.clock import Clock, rfc3339
from paas.domain.app import Domain
from paas.domain.ids import AppId
from paas.errors import NameTakenError, NotFoundError
from paas.store.apps import living
from paas.store.codec import decode_moment
from paas.store.connections import Connections
from paas.store.schema import apps, domains


class Domains:
    """The domains of every living app."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    def add(self, app: AppId, host: str) -> Domain:
        """Return the new domain; raises NameTakenError that names the app which has it."""
        domain = Domain(app, host, self._clock.now())
        with self._connections.write() as connection:
            claim(connection, app, host, at=rfc3339(domain.created_at))
        return domain

    def remove(self, app: AppId, host: str) -> None:
        """Remove an app's domain; raises NotFoundError."""
        with self._connections.write() as connection:
            gone = connection.execute(delete(domains).where(domains.c.app == app, domains.c.host == host))
            if gone.rowcount != 1:
                raise NotFoundError(f"The app has no domain {host}. `mini domains` lists them.")

    def all(self) -> list[Domain]:
        """Return every app's domains by host."""
        return [_domain_from(row) for row in self._connections.rows(select(domains).order_by(domains.c.host))]

    def list(self, app: AppId) -> list[Domain]:
        """Return an app's domains by host."""
        query = select(domains).where(domains.c.app == app).order_by(domains.c.host)
        return [_domain_from(row) for row in self._connections.rows(query)]


def claim(connection: Connection, app: AppId, host: str, *, at: str) -> None:
    """Give a host to a living app, inside a caller's transaction; raises NameTakenError where it is anybody's."""
    living(connection, app)
    owner = select(apps.c.name).join(domains, domains.c.app == apps.c.id).where(domains.c.host == host)
    if name := connection.scalar(owner):
        raise NameTakenError(f"The domain {host} belongs to the app {name} already. Remove it there first.")
    connection.execute(insert(domains).values(host=host, app=app, created_at=at))


def _domain_from(row: RowMapping) -> Domain:
    return Domain(row["app"], row["host"], decode_moment(row["created_at"]))
